//! One request and its answer: signed in, within the caps, to permitted addresses only. Redirects
//! are followed on the same host alone, as they would carry the sign-in elsewhere. A server that
//! asks to wait is waited for as far as the read's time allows.

use reqwest::{
    RequestBuilder, Response, StatusCode,
    header::{
        ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, ETAG, HeaderName, IF_MODIFIED_SINCE,
        IF_NONE_MATCH, LAST_MODIFIED, LOCATION, RETRY_AFTER,
    },
};
use tokio::time;
use url::Url;

use super::{certificates, validators::Validators};
use crate::{
    domain::{Endpoint, Span, WebAuth},
    net::{self, Reach, chain, retry_after},
    sources::{
        ReadContext, SourceError,
        error::{printable, scrub},
        unpack,
    },
};

const MAX_REDIRECTS: usize = 5;
/// An answer that refuses is no longer than this.
const MAX_REFUSAL_BYTES: u64 = 1 << 20;
/// However little a server asks for, it is not asked again sooner.
const SHORTEST_WAIT: Span = Span::from_micros(100_000);

/// A server, for as long as one read takes.
pub(super) struct Server<'a> {
    endpoint: &'a Endpoint,
    ctx: &'a ReadContext<'a>,
    bytes_left: usize,
    /// How long a server that asks to wait may still be waited for.
    patience: Span,
    /// Sent as `X-Scope-OrgID`.
    tenant: Option<&'a str>,
    /// One with the endpoint's own certificates.
    client: Option<reqwest::Client>,
}

/// What is asked.
#[derive(Debug, Clone)]
pub(super) enum Call {
    /// A GET of an address.
    Get(Url),
    /// The same, unless it has not changed.
    GetUnless(Url, Validators),
    /// A POST of a form, which has room for long queries.
    Post(Url, String),
}

impl Call {
    const fn url(&self) -> &Url {
        match self {
            Self::Get(url) | Self::GetUnless(url, _) | Self::Post(url, _) => url,
        }
    }
}

/// What came back.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    /// The content type in lower case, without parameters.
    pub(super) content_type: String,
    /// The content type's `charset` in lower case, where there is one.
    pub(super) charset: Option<String>,
    /// What to ask with next time.
    pub(super) validators: Validators,
    pub(super) body: Vec<u8>,
}

impl<'a> Server<'a> {
    pub(super) fn new(
        endpoint: &'a Endpoint,
        ctx: &'a ReadContext<'a>,
    ) -> Result<Self, SourceError> {
        let timeout = ctx.batch.source.timeout;
        let mut server = Self {
            endpoint,
            ctx,
            bytes_left: endpoint.max_bytes,
            patience: Span::from_micros(timeout.micros() / 2),
            tenant: None,
            client: None,
        };
        if let Some(certificates) = certificates::read(endpoint)? {
            let client = ctx.client.certified(certificates, server.reach());
            server.client = Some(client.map_err(|error| server.failed(error))?);
        }
        Ok(server)
    }

    /// The same server on behalf of one of its tenants.
    pub(super) fn for_tenant(self, tenant: Option<&'a str>) -> Self {
        Self { tenant, ..self }
    }

    /// The configured address.
    pub(super) fn url(&self) -> Result<Url, SourceError> {
        Url::parse(self.endpoint.url.reveal().trim()).map_err(|_| SourceError::UnknownAddress)
    }

    const fn reach(&self) -> Reach {
        if self.endpoint.allow_private { Reach::Anywhere } else { Reach::Public }
    }

    /// Asks, and again when the server asks to wait and there is time. Answers that are no success
    /// come back too, but for those that ask to wait longer.
    pub(super) async fn ask(&mut self, call: Call) -> Result<Answer, SourceError> {
        loop {
            let (status, after, said) = match self.ask_once(call.clone()).await {
                Err(SourceError::Throttled { status, after, said }) => (status, after, said),
                answer => return answer,
            };
            let wait = after.map(|after| after.max(SHORTEST_WAIT));
            let Some(wait) = wait.filter(|wait| *wait <= self.patience) else {
                return Err(SourceError::Throttled { status, after, said });
            };
            self.patience = Span::from_micros(self.patience.micros() - wait.micros());
            time::sleep(wait.to_std()).await;
        }
    }

    async fn ask_once(&mut self, mut call: Call) -> Result<Answer, SourceError> {
        for _ in 0..=MAX_REDIRECTS {
            if let Some(distance) = self.endpoint.pace {
                let server = call.url().authority().to_owned();
                self.ctx.client.pace(&server, distance.to_std()).await;
            }
            let response = self.request(&call)?.send().await.map_err(|error| self.failed(error))?;
            match self.redirect(&call, &response)? {
                Some(next) => call = Call::Get(next),
                None => return self.take(response).await,
            }
        }
        Err(self.refused("it redirects without end"))
    }

    fn request(&self, call: &Call) -> Result<RequestBuilder, SourceError> {
        let (url, reach) = (call.url(), self.reach());
        net::check(url, reach).map_err(SourceError::Forbidden)?;
        let client = match &self.client {
            Some(client) => client,
            None => self.ctx.client.to(url, reach).map_err(|error| self.failed(error))?,
        };
        let request = match call {
            Call::Get(url) => client.get(url.clone()),
            Call::GetUnless(url, Validators { etag, modified }) => {
                let ask = |request: RequestBuilder, name: HeaderName, value: &Option<String>| {
                    value.iter().fold(request, |request, value| request.header(name.clone(), value))
                };
                let request = ask(client.get(url.clone()), IF_NONE_MATCH, etag);
                ask(request, IF_MODIFIED_SINCE, modified)
            }
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
            .fold(request.header(ACCEPT_ENCODING, "gzip, zstd"), |request, (name, value)| {
                request.header(name.as_str(), value.reveal())
            });
        Ok(request)
    }

    /// Where a redirect leads, if the answer is one and it stays on the host.
    fn redirect(&self, call: &Call, response: &Response) -> Result<Option<Url>, SourceError> {
        if !response.status().is_redirection() || response.status() == StatusCode::NOT_MODIFIED {
            return Ok(None);
        }
        if matches!(call, Call::Post(..)) {
            return Err(self.refused("it redirects, which a POST does not follow"));
        }
        let location = response.headers().get(LOCATION).and_then(|text| text.to_str().ok());
        let target = location.and_then(|text| call.url().join(text).ok());
        let target = target.ok_or_else(|| self.refused("it redirects to nowhere"))?;
        same_host(call.url(), target).map(Some)
    }

    /// The body, within what is left of the cap.
    async fn take(&mut self, mut response: Response) -> Result<Answer, SourceError> {
        let status = response.status();
        let header = |name| {
            response.headers().get(name).and_then(|text| text.to_str().ok()).unwrap_or_default()
        };
        if matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
            let after = retry_after(header(RETRY_AFTER), self.ctx.now);
            let said = self.first_words(&start(response).await);
            return Err(SourceError::Throttled { status: status.as_u16(), after, said });
        }
        let encoding = header(CONTENT_ENCODING).trim().to_ascii_lowercase();
        if !matches!(encoding.as_str(), "" | "identity" | "gzip" | "x-gzip" | "zstd") {
            let (place, encoding) = ("the answer".to_owned(), printable(&encoding));
            return Err(SourceError::Encoding { place, encoding });
        }
        let (content_type, charset) = typed(header(CONTENT_TYPE));
        let validators = Validators::new(header(ETAG), header(LAST_MODIFIED));
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
        if !status.is_success() {
            // Only its first words are ever looked at.
            body = unpack::inflate(body, MAX_REFUSAL_BYTES, "the answer").unwrap_or_default();
        }
        Ok(Answer { status, content_type, charset, validators, body })
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
        let said = self.first_words(&answer.body);
        Err(SourceError::Status { status: answer.status.as_u16(), said })
    }

    /// The first words of an answer, as they may be shown.
    fn first_words(&self, body: &[u8]) -> String {
        let start = String::from_utf8_lossy(&body[..body.len().min(400)]);
        printable(&scrub(start.trim(), self.endpoint.secrets()))
    }
}

/// The start of an answer that is not used otherwise: what came of it, however it ends.
async fn start(mut response: Response) -> Vec<u8> {
    let mut body = Vec::new();
    while (body.len() as u64) < MAX_REFUSAL_BYTES {
        let Ok(Some(chunk)) = response.chunk().await else { break };
        body.extend_from_slice(&chunk);
    }
    unpack::inflate(body, 2 * MAX_REFUSAL_BYTES, "the answer").unwrap_or_default()
}

/// A content type in lower case, and its `charset`.
fn typed(content_type: &str) -> (String, Option<String>) {
    let mut parts = content_type.split(';').map(str::trim);
    let name = parts.next().unwrap_or_default().to_ascii_lowercase();
    let charset = parts.find_map(|part| {
        let (key, value) = part.split_once('=')?;
        key.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches('"'))
    });
    (name, charset.map(str::to_ascii_lowercase))
}

/// The second address, if it is on the same host, port and scheme as the first.
pub(in crate::sources) fn same_host(from: &Url, target: Url) -> Result<Url, SourceError> {
    if from.origin() == target.origin() {
        return Ok(target);
    }
    let host = target.host_str().map(printable).unwrap_or_default();
    Err(SourceError::OtherHost { host })
}
