//! What who sent a request makes of the answer.

use std::convert::identity;
use std::error::Error;

use http::header::CONTENT_TYPE;
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_body::Frame;

use super::cause::{self, CAUSE};
use crate::cancelled::Cancelled;
use crate::context::Context;

type BoxError = Box<dyn Error + Send + Sync>;

const GRPC: &str = "application/grpc";
const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

/// In the extensions of a request whose sender is told why it was cancelled.
#[derive(Clone, Copy, Debug)]
pub(super) struct SharesCauses;

#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    for_head: bool,
    for_grpc: bool,
    for_cause: bool,
    /// What the error of a body is made into.
    errors: fn(BoxError) -> BoxError,
}

impl Asked {
    pub(super) fn by<B>(request: &Request<B>) -> Self {
        // Requests of gRPC are all of them posted.
        let is_posted = request.method() == Method::POST;
        let content_type = || request.headers().get(CONTENT_TYPE);
        Self {
            for_head: request.method() == Method::HEAD,
            for_grpc: is_posted && content_type().is_some_and(is_grpc),
            for_cause: false,
            errors: identity,
        }
    }

    /// By a client of ours: what comes is taken as it is.
    pub(super) const fn by_us(errors: fn(BoxError) -> BoxError) -> Self {
        Self {
            for_head: false,
            for_grpc: false,
            for_cause: false,
            errors,
        }
    }

    /// Has the sender told why its request was cancelled, if a layer around this one has found out that it is.
    pub(super) fn share_causes(&mut self, extensions: &Extensions) {
        self.for_cause = extensions.get::<SharesCauses>().is_some();
    }

    pub(super) fn error(self, error: BoxError) -> BoxError {
        (self.errors)(error)
    }

    /// RFC 9110, 6.4.1: whether an answer of this status has content.
    pub(super) fn has_body(self, status: StatusCode) -> bool {
        !self.for_head
            && !status.is_informational()
            && status != StatusCode::NO_CONTENT
            && status != StatusCode::NOT_MODIFIED
    }

    /// The head of an answer that there was no time for: a status of HTTP, or, in a 200, of gRPC.
    pub(super) fn refusal<B>(self, cancelled: &Cancelled, body: B) -> Response<B> {
        let mut response = Response::new(body);
        if self.for_grpc {
            let content_type = HeaderValue::from_static(GRPC);
            *response.headers_mut() = self.trailers(cancelled);
            response.headers_mut().insert(CONTENT_TYPE, content_type);
        } else {
            *response.status_mut() = status(cancelled);
            self.add_cause_of(Some(cancelled), response.headers_mut());
        }
        response
    }

    /// The end of a body that there was no more time for: trailers, if that says it.
    pub(super) fn end<D>(self, cancelled: Cancelled) -> Result<Frame<D>, BoxError> {
        if self.for_grpc {
            Ok(Frame::trailers(self.trailers(&cancelled)))
        } else {
            Err(self.error(cancelled.into()))
        }
    }

    /// Adds why `context` has ended, if it has.
    pub(super) fn add_cause(self, context: &Context, headers: &mut HeaderMap) {
        if self.for_cause {
            self.add_cause_of(context.check().err().as_ref(), headers);
        }
    }

    /// The protocol of gRPC: statuses 1 (cancelled) and 4 (deadline exceeded).
    fn trailers(self, cancelled: &Cancelled) -> HeaderMap {
        let code = if cancelled.is_timeout() { "4" } else { "1" };
        // RFC 3986 encoding is for what is not printable ASCII; the texts of kinds are.
        let message = cancelled.kind().to_string();
        let message = HeaderValue::try_from(message).expect("printable ASCII");
        let mut headers = HeaderMap::new();
        headers.insert(GRPC_STATUS, HeaderValue::from_static(code));
        headers.insert(GRPC_MESSAGE, message);
        self.add_cause_of(Some(cancelled), &mut headers);
        headers
    }

    fn add_cause_of(self, cancelled: Option<&Cancelled>, headers: &mut HeaderMap) {
        if let Some(cancelled) = cancelled.filter(|_| self.for_cause) {
            headers.insert(CAUSE, cause::format(cancelled));
        }
    }
}

/// `application/grpc`, also with a codec (`+proto`) or parameters; not gRPC-Web, whose trailers lie in the body.
fn is_grpc(content_type: &HeaderValue) -> bool {
    let rest = content_type.as_bytes().strip_prefix(GRPC.as_bytes());
    rest.is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';')))
}

/// The status of an answer that there was no time for.
pub(crate) fn status(cancelled: &Cancelled) -> StatusCode {
    if cancelled.is_timeout() {
        StatusCode::GATEWAY_TIMEOUT
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    }
}
