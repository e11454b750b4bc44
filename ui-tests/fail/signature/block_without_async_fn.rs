use cancel_context::cancellable;

struct Store;

#[cancellable(implicit)]
impl Store { //~ ERROR no `async fn` in this `impl`; remove `#[cancellable]`
    fn read(&self) {}
}

#[cancellable]
trait Read { //~ ERROR no `async fn` in this `trait`; remove `#[cancellable]`
    fn read(&self);
}

#[cancellable(implicit)]
mod store { //~ ERROR no `async fn` in this `mod`; remove `#[cancellable]`
    pub fn read() {}
}

fn main() {}
