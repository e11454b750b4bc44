//! nginx between the client and the server.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::process::Stdio;
use std::time::Duration;

use cancel_context::tower::{LimitedBy, RequestEnd};
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::task::yield_now;

use crate::curl::{curl, printed};
use crate::server::{Options, Server, end_of, soon};

/// How often another port is tried, if one is taken.
const TRIES: usize = 5;

/// An nginx that ends with this value; what it writes is below its directory.
struct Proxy {
    child: Child,
    address: SocketAddr,
    _directory: TempDir,
}

impl Proxy {
    /// Starts one in front of `server`.
    async fn start(server: &Server) -> Self {
        for _ in 0..TRIES {
            if let Some(proxy) = Self::try_start(server).await {
                return proxy;
            }
        }
        panic!("nginx does not start; it has said why");
    }

    async fn try_start(server: &Server) -> Option<Self> {
        let free = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let directory = TempDir::new().unwrap();
        let path = directory.path();
        fs::write(path.join("nginx.conf"), config(address, server.address)).unwrap();
        let mut child = Command::new("nginx")
            .env("PATH", search_path())
            .arg("-p")
            .arg(path)
            .args(["-c", "nginx.conf", "-e", "stderr"])
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("nginx is installed");
        // It is written when the port is bound.
        let pid = path.join("nginx.pid");
        let started = async {
            loop {
                if fs::read(&pid).is_ok_and(|pid| !pid.is_empty()) {
                    return true;
                }
                if child.try_wait().unwrap().is_some() {
                    return false;
                }
                yield_now().await;
            }
        };
        soon(started).await.then_some(Self {
            child,
            address,
            _directory: directory,
        })
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

/// Debian has nginx where not every user looks.
fn search_path() -> OsString {
    let mut path = env::var_os("PATH").unwrap_or_default();
    path.push(":/usr/sbin");
    path
}

/// As a site has it, but that all paths are below the directory, and that it is one process.
fn config(address: SocketAddr, server: SocketAddr) -> String {
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let temporary = temporary
        .map(|name| format!("{name}_temp_path {name};\n"))
        .concat();
    format!(
        "daemon off;
        master_process off;
        pid nginx.pid;
        error_log stderr warn;
        events {{}}
        http {{
            access_log off;
            {temporary}
            upstream server {{
                server {server};
                keepalive 4;
            }}
            server {{
                listen {address};
                location / {{
                    proxy_pass http://server;
                    proxy_http_version 1.1;
                    proxy_set_header connection '';
                }}
            }}
        }}"
    )
}

// guarantee E2
#[tokio::test]
async fn answers_come_through_a_proxy_each_of_a_context_of_its_own() {
    let mut server = Server::start(Options::default()).await;
    let proxy = Proxy::start(&server).await;
    let url = proxy.url("/");
    let (printed, code) = printed(&[&url, &url]).await;
    assert_eq!((printed.as_str(), code), ("hellohello", Some(0)));
    let (first, second) = (server.request().await, server.request().await);
    assert_ne!(first, second);
    assert_eq!(end_of(&first).await, RequestEnd::Answered);
    assert_eq!(end_of(&second).await, RequestEnd::Answered);
    server.rests().await;
}

// guarantee E2
#[tokio::test]
async fn a_client_that_leaves_the_proxy_has_disconnected() {
    let mut server = Server::start(Options::default()).await;
    let proxy = Proxy::start(&server).await;
    for path in ["/wait", "/begin"] {
        let mut child = curl(&[&proxy.url(path)]).spawn().unwrap();
        let context = server.request().await;
        child.kill().await.unwrap();
        assert_eq!(end_of(&context).await, RequestEnd::Disconnected, "{path}");
        server.rests().await;
    }
}

// guarantee E2
#[tokio::test]
async fn a_proxy_that_dies_has_disconnected() {
    let mut server = Server::start(Options::default()).await;
    let mut proxy = Proxy::start(&server).await;
    let _child = curl(&[&proxy.url("/wait")]).spawn().unwrap();
    let context = server.request().await;
    proxy.child.kill().await.unwrap();
    assert_eq!(end_of(&context).await, RequestEnd::Disconnected);
    server.rests().await;
}

// guarantee E4
#[tokio::test]
async fn the_time_of_the_caller_comes_through_a_proxy() {
    let mut server = Server::start(Options::default()).await;
    let proxy = Proxy::start(&server).await;
    let url = proxy.url("/wait");
    let arguments = [
        "--header",
        "x-request-timeout: 20m",
        "--write-out",
        "%{http_code}",
        &url,
    ];
    let (printed, _) = printed(&arguments).await;
    assert_eq!(printed, "504");
    let (by, after) = (LimitedBy::Caller, Duration::from_millis(20));
    let context = server.request().await;
    assert_eq!(end_of(&context).await, RequestEnd::TimedOut { by, after });
    server.rests().await;
}
