use cancel_context::cancellable;

#[cancellable(skip)] //~ ERROR `skip` leaves a function of an annotated block as it is; remove this attribute
async fn work() {
    std::future::ready(()).await;
}

fn main() {}
