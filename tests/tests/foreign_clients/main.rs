//! The context of a request whose client is somebody else's: curl, sockets by hand, nginx in front of the server.
//!
//! curl (with HTTP/2) and nginx have to be installed, so these tests are behind the feature `foreign`.

mod curl;
mod nginx;
mod server;
mod sockets;
