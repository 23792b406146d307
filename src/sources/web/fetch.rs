//! One request and its answer: signed in, within the caps, to permitted addresses only. Redirects
//! are followed on the same host alone, as they would carry the sign-in elsewhere.

use reqwest::{
    RequestBuilder, Response, StatusCode,
    header::{CONTENT_TYPE, LOCATION, RETRY_AFTER},
};
use url::Url;

use crate::{
    domain::{Endpoint, Span, WebAuth},
    net::{self, Reach, chain, retry_after},
    sources::{
        ReadContext, SourceError,
        error::{printable, scrub},
    },
};

const MAX_REDIRECTS: usize = 5;

/// A server, for as long as one read takes.
pub(super) struct Server<'a> {
    endpoint: &'a Endpoint,
    ctx: &'a ReadContext<'a>,
    timeout: Span,
    bytes_left: usize,
    /// Sent as `X-Scope-OrgID`.
    tenant: Option<&'a str>,
}

/// What is asked.
pub(super) enum Call {
    /// A GET of an address.
    Get(Url),
    /// A POST of a form, which has room for long queries.
    Post(Url, String),
}

/// What came back.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    /// The content type in lower case, without parameters.
    pub(super) content_type: String,
    pub(super) body: Vec<u8>,
}

impl<'a> Server<'a> {
    pub(super) fn new(endpoint: &'a Endpoint, ctx: &'a ReadContext<'a>) -> Self {
        let timeout = ctx.batch.source.timeout;
        Self { endpoint, ctx, timeout, bytes_left: endpoint.max_bytes, tenant: None }
    }

    /// The same server on behalf of one of its tenants.
    pub(super) fn for_tenant(self, tenant: Option<&'a str>) -> Self {
        Self { tenant, ..self }
    }

    /// The configured address.
    pub(super) fn url(&self) -> Result<Url, SourceError> {
        Url::parse(self.endpoint.url.reveal().trim()).map_err(|_| SourceError::UnknownAddress)
    }

    /// Asks once. Answers that are no success come back too, but for those that ask to wait.
    pub(super) async fn ask(&mut self, mut call: Call) -> Result<Answer, SourceError> {
        for _ in 0..=MAX_REDIRECTS {
            let response = self.request(&call)?.send().await.map_err(|error| self.failed(error))?;
            match (self.redirect(&call, &response)?, call) {
                (Some(next), _) => call = Call::Get(next),
                (None, _) => return self.take(response).await,
            }
        }
        Err(self.refused("it redirects without end"))
    }

    fn request(&self, call: &Call) -> Result<RequestBuilder, SourceError> {
        let (Call::Get(url) | Call::Post(url, _)) = call;
        let reach = if self.endpoint.allow_private { Reach::Anywhere } else { Reach::Public };
        net::check(url, reach).map_err(SourceError::Forbidden)?;
        let client = self.ctx.client.to(url, reach).map_err(|error| self.failed(error))?;
        let request = match call {
            Call::Get(url) => client.get(url.clone()),
            Call::Post(url, form) => client
                .post(url.clone())
                .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(form.clone()),
        };
        let request = match &self.endpoint.auth {
            WebAuth::None => request,
            WebAuth::Bearer(token) => request.bearer_auth(token.reveal()),
            WebAuth::Basic { user, password } => request.basic_auth(user, Some(password.reveal())),
        };
        let request = match self.tenant {
            Some(tenant) => request.header("x-scope-orgid", tenant),
            None => request,
        };
        let headers = self.endpoint.headers.iter();
        let request = headers
            .fold(request, |request, (name, value)| request.header(name.as_str(), value.reveal()));
        Ok(request.timeout(self.timeout.to_std()))
    }

    /// Where a redirect leads, if the answer is one and it stays on the host.
    fn redirect(&self, call: &Call, response: &Response) -> Result<Option<Url>, SourceError> {
        if !response.status().is_redirection() {
            return Ok(None);
        }
        let Call::Get(from) = call else {
            return Err(self.refused("it redirects, which a POST does not follow"));
        };
        let location = response.headers().get(LOCATION).and_then(|text| text.to_str().ok());
        let target = location.and_then(|text| from.join(text).ok());
        let target = target.ok_or_else(|| self.refused("it redirects to nowhere"))?;
        same_host(from, target).map(Some)
    }

    /// The body, within what is left of the cap.
    async fn take(&mut self, mut response: Response) -> Result<Answer, SourceError> {
        let status = response.status();
        let header = |name| {
            response.headers().get(name).and_then(|text| text.to_str().ok()).unwrap_or_default()
        };
        if matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
            let after = retry_after(header(RETRY_AFTER), self.ctx.now);
            return Err(SourceError::Throttled { status: status.as_u16(), after });
        }
        let content_type = header(CONTENT_TYPE).split(';').next().unwrap_or_default();
        let content_type = content_type.trim().to_ascii_lowercase();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.failed(error))? {
            if self.bytes_left < chunk.len() {
                return Err(SourceError::TooManyBytes {
                    place: "the answer".into(),
                    max_bytes: self.endpoint.max_bytes as u64,
                });
            }
            self.bytes_left -= chunk.len();
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status, content_type, body })
    }

    fn failed(&self, error: reqwest::Error) -> SourceError {
        let error = error.without_url();
        match net::forbidden(&error) {
            Some(forbidden) => SourceError::Forbidden(forbidden),
            None => self.refused(&chain(&error)),
        }
    }

    fn refused(&self, message: &str) -> SourceError {
        SourceError::Request { message: scrub(message, self.endpoint.secrets()) }
    }

    /// The body of a success; anything else is an error with its first words.
    pub(super) fn success(&self, answer: Answer) -> Result<Answer, SourceError> {
        if answer.status.is_success() {
            return Ok(answer);
        }
        let start = String::from_utf8_lossy(&answer.body[..answer.body.len().min(400)]);
        let said = printable(&scrub(start.trim(), self.endpoint.secrets()));
        Err(SourceError::Status { status: answer.status.as_u16(), said })
    }
}

/// The second address, if it is on the same host, port and scheme as the first.
pub(in crate::sources) fn same_host(from: &Url, target: Url) -> Result<Url, SourceError> {
    if from.origin() == target.origin() {
        return Ok(target);
    }
    let host = target.host_str().map(printable).unwrap_or_default();
    Err(SourceError::OtherHost { host })
}
