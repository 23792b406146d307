//! A stand-in for an object store: it speaks as much of S3's protocol, and of Google's XML dialect of
//! it, as this program asks, keeps objects in memory, and fails when told to. For tests only.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fmt::Write as _,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
};

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode},
};
use tokio::net::TcpListener;

/// How a request fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// This status, and nothing is done.
    Status(u16),
    /// 503 SlowDown, with so many seconds to stay away.
    SlowDown(u32),
    /// No answer, ever.
    Hang,
    /// It is done, and the answer is lost.
    LoseReply,
    /// The first half of the body, then the connection breaks.
    CutBody,
    /// One bit of the body is another.
    FlipBit,
}

/// Which requests fail, and how.
#[derive(Debug, Clone)]
struct Plan {
    method: &'static str,
    part: &'static str,
    n_left: usize,
    fault: Fault,
}

#[derive(Debug, Clone)]
struct Object {
    bytes: Bytes,
    generation: u64,
    said: Vec<(HeaderName, HeaderValue)>,
}

impl Object {
    fn etag(&self) -> String {
        format!("\"g{}\"", self.generation)
    }
}

#[derive(Debug, Default)]
struct Upload {
    key: String,
    said: Vec<(HeaderName, HeaderValue)>,
    parts: BTreeMap<usize, Bytes>,
}

#[derive(Debug, Default)]
struct Contents {
    objects: BTreeMap<String, Object>,
    uploads: BTreeMap<String, Upload>,
    n_writes: u64,
    plans: VecDeque<Plan>,
    requests: Vec<String>,
    n_under_way: usize,
    most_under_way: usize,
    overlooks_conditions: bool,
    is_read_only: bool,
}

/// A server with one bucket, `bucket`; it ends with the runtime it was started on.
#[derive(Debug, Clone)]
pub(crate) struct BucketServer {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    contents: Arc<Mutex<Contents>>,
}

impl BucketServer {
    /// Starts one.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let contents = Arc::default();
        let server = Self { address, contents };
        let app = Router::new().fallback(answer).with_state(server.clone());
        #[expect(clippy::disallowed_methods, reason = "it ends with the runtime of its test")]
        tokio::spawn(async move { axum::serve(listener, app).await });
        server
    }

    /// The address of its root.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The next so many requests with this method and this text in their address fail.
    pub(crate) fn fail(&self, method: &'static str, part: &'static str, n: usize, fault: Fault) {
        self.lock().plans.push_back(Plan { method, part, n_left: n, fault });
    }

    /// Conditions are overlooked from now on.
    pub(crate) fn overlook_conditions(&self) {
        self.lock().overlooks_conditions = true;
    }

    /// Nothing can be written from now on.
    pub(crate) fn refuse_writes(&self) {
        self.lock().is_read_only = true;
    }

    /// Requests so far, as `METHOD address`.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.lock().requests.clone()
    }

    /// How many requests were under way at once.
    pub(crate) fn most_under_way(&self) -> usize {
        self.lock().most_under_way
    }

    /// Uploads in pieces that were begun and not ended.
    pub(crate) fn n_open_uploads(&self) -> usize {
        self.lock().uploads.len()
    }

    /// The keys there are.
    pub(crate) fn keys(&self) -> Vec<String> {
        self.lock().objects.keys().cloned().collect()
    }

    /// Puts bytes where an object is, without a word of what was said of it changing.
    pub(crate) fn damage(&self, key: &str, bytes: &'static [u8]) {
        let mut contents = self.lock();
        contents.n_writes += 1;
        let generation = contents.n_writes;
        let object = contents.objects.get_mut(key).unwrap();
        (object.bytes, object.generation) = (Bytes::from_static(bytes), generation);
    }

    fn lock(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().unwrap()
    }
}

/// A request, read.
struct Asked {
    method: Method,
    key: String,
    query: BTreeMap<String, String>,
    headers: HeaderMap,
    body: Bytes,
}

impl Asked {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// What is said of an object with it.
    fn said(&self) -> Vec<(HeaderName, HeaderValue)> {
        let is_said = |name: &HeaderName| {
            let name = name.as_str();
            name == "content-type"
                || name.starts_with("x-amz-meta-")
                || name.starts_with("x-goog-meta-")
        };
        let said = self.headers.iter().filter(|(name, _)| is_said(name));
        said.map(|(name, value)| (name.clone(), value.clone())).collect()
    }
}

async fn answer(State(server): State<BucketServer>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let line = format!("{} {}", parts.method, parts.uri);
    {
        let mut contents = server.lock();
        contents.requests.push(line.clone());
        contents.n_under_way += 1;
        contents.most_under_way = contents.most_under_way.max(contents.n_under_way);
    }
    let body = to_bytes(body, usize::MAX).await.unwrap();
    let key = parts.uri.path().trim_start_matches("/bucket").trim_start_matches('/').to_owned();
    let query = parts.uri.query().unwrap_or_default();
    let query = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let headers = parts.headers;
    let asked = Asked { method: parts.method, key: decoded(&key), query, headers, body };
    let fault = {
        let mut contents = server.lock();
        contents.n_under_way -= 1;
        take_fault(&mut contents.plans, asked.method.as_str(), &line)
    };
    match fault {
        Some(Fault::Status(code)) => status(code, "<Error><Code>Made</Code></Error>"),
        Some(Fault::SlowDown(seconds)) => {
            let mut response = status(503, "<Error><Code>SlowDown</Code></Error>");
            response.headers_mut().insert("retry-after", seconds.into());
            response
        }
        Some(Fault::Hang) => std::future::pending().await,
        Some(Fault::LoseReply) => {
            drop(carry_out(&mut server.lock(), &asked));
            // The connection ends with its task; without the noise of a panic.
            std::panic::resume_unwind(Box::new("the answer is lost"))
        }
        Some(fault @ (Fault::CutBody | Fault::FlipBit)) => {
            let done = carry_out(&mut server.lock(), &asked);
            spoil(done, fault == Fault::CutBody).await
        }
        None => carry_out(&mut server.lock(), &asked),
    }
}

fn take_fault(plans: &mut VecDeque<Plan>, method: &str, line: &str) -> Option<Fault> {
    let fits = |plan: &Plan| plan.method == method && line.contains(plan.part);
    let at = plans.iter().position(fits)?;
    plans[at].n_left -= 1;
    let fault = plans[at].fault;
    if plans[at].n_left == 0 {
        plans.remove(at);
    }
    Some(fault)
}

async fn spoil(response: Response<Body>, is_cut: bool) -> Response<Body> {
    let (mut parts, body) = response.into_parts();
    let mut bytes = to_bytes(body, usize::MAX).await.unwrap().to_vec();
    parts.headers.insert("content-length", bytes.len().into());
    if !is_cut {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 4;
        return Response::from_parts(parts, Body::from(bytes));
    }
    bytes.truncate(bytes.len() / 2);
    let cut = std::io::Error::other("the line is cut");
    let pieces = futures::stream::iter([Ok(Bytes::from(bytes)), Err(cut)]);
    Response::from_parts(parts, Body::from_stream(pieces))
}

fn carry_out(contents: &mut Contents, asked: &Asked) -> Response<Body> {
    if contents.is_read_only && !matches!(asked.method.as_str(), "GET" | "HEAD") {
        return status(403, "<Error><Code>AccessDenied</Code></Error>");
    }
    match (asked.method.as_str(), asked.key.as_str()) {
        ("GET", "") => list(contents, asked),
        ("POST", "") => delete_many(contents, asked),
        ("GET" | "HEAD", _) => read(contents, asked),
        ("DELETE", _) => match asked.query.get("uploadId") {
            Some(id) => {
                contents.uploads.remove(id);
                status(204, "")
            }
            None => {
                let was_there = contents.objects.remove(&asked.key).is_some();
                let is_google = asked.headers.contains_key("authorization");
                status(if was_there || !is_google { 204 } else { 404 }, "")
            }
        },
        ("PUT", _) if asked.query.contains_key("uploadId") => take_part(contents, asked),
        ("PUT", _) => put(contents, asked),
        ("POST", _) if asked.query.contains_key("uploads") => begin(contents, asked),
        ("POST", _) => complete(contents, asked),
        _ => status(405, ""),
    }
}

fn read(contents: &Contents, asked: &Asked) -> Response<Body> {
    let Some(object) = contents.objects.get(&asked.key) else {
        return status(404, "<Error><Code>NoSuchKey</Code></Error>");
    };
    let etag = object.etag();
    if asked.header("if-none-match") == Some(&etag) {
        return status(304, "");
    }
    if asked.header("if-match").is_some_and(|wanted| wanted != etag) {
        return status(412, "");
    }
    let size = object.bytes.len();
    let range = asked.header("range").and_then(|text| {
        let (from, to) = text.strip_prefix("bytes=")?.split_once('-')?;
        let to = to.parse().map_or(size, |to: usize| (to + 1).min(size));
        Some(from.parse().ok()?..to)
    });
    let (code, bytes) = match &range {
        Some(range) if range.start < range.end => (206, object.bytes.slice(range.clone())),
        Some(_) => return status(416, ""),
        None => (200, object.bytes.clone()),
    };
    let mut response = status(code, "");
    let headers = response.headers_mut();
    headers.extend(object.said.iter().cloned());
    headers.insert("etag", etag.parse().unwrap());
    headers.insert("x-goog-generation", object.generation.into());
    headers.insert("last-modified", "Thu, 01 Jan 2026 00:00:00 GMT".parse().unwrap());
    headers.insert("content-length", bytes.len().into());
    if let Some(range) = range {
        let text = format!("bytes {}-{}/{size}", range.start, range.end - 1);
        headers.insert("content-range", text.parse().unwrap());
    }
    if asked.method == Method::GET {
        *response.body_mut() = Body::from(bytes);
    }
    response
}

/// Whether a write's condition holds; else the answer.
fn refusal(contents: &Contents, asked: &Asked) -> Option<Response<Body>> {
    if contents.overlooks_conditions {
        return None;
    }
    let there = contents.objects.get(&asked.key);
    let generation = there.map_or(0, |object| object.generation).to_string();
    let is_refused = asked.header("if-none-match").is_some_and(|_| there.is_some())
        || asked.header("if-match").is_some_and(|etag| there.is_none_or(|o| o.etag() != etag))
        || asked.header("x-goog-if-generation-match").is_some_and(|wanted| wanted != generation);
    is_refused.then(|| status(412, "<Error><Code>PreconditionFailed</Code></Error>"))
}

fn put(contents: &mut Contents, asked: &Asked) -> Response<Body> {
    if let Some(refusal) = refusal(contents, asked) {
        return refusal;
    }
    match copied(contents, asked) {
        Some(Ok(source)) => {
            let etag = store(contents, &asked.key, source.bytes, source.said);
            status(200, &format!("<CopyObjectResult><ETag>{etag}</ETag></CopyObjectResult>"))
        }
        Some(Err(missing)) => missing,
        None => {
            let etag = store(contents, &asked.key, asked.body.clone(), asked.said());
            let mut response = status(200, "");
            response.headers_mut().insert("etag", etag.parse().unwrap());
            let generation = contents.n_writes;
            response.headers_mut().insert("x-goog-generation", generation.into());
            response
        }
    }
}

/// The object a request copies, if it does.
fn copied(contents: &Contents, asked: &Asked) -> Option<Result<Object, Response<Body>>> {
    let source = asked.header("x-amz-copy-source").or(asked.header("x-goog-copy-source"))?;
    let key = decoded(source.trim_start_matches('/').split_once('/')?.1);
    let missing = || status(404, "<Error><Code>NoSuchKey</Code></Error>");
    Some(contents.objects.get(&key).cloned().ok_or_else(missing))
}

fn store(
    contents: &mut Contents,
    key: &str,
    bytes: Bytes,
    said: Vec<(HeaderName, HeaderValue)>,
) -> String {
    contents.n_writes += 1;
    let object = Object { bytes, generation: contents.n_writes, said };
    let etag = object.etag();
    contents.objects.insert(key.to_owned(), object);
    etag
}

fn begin(contents: &mut Contents, asked: &Asked) -> Response<Body> {
    contents.n_writes += 1;
    let id = format!("upload{}", contents.n_writes);
    let upload = Upload { key: asked.key.clone(), said: asked.said(), parts: BTreeMap::new() };
    contents.uploads.insert(id.clone(), upload);
    let text = format!(
        "<InitiateMultipartUploadResult><UploadId>{id}</UploadId></InitiateMultipartUploadResult>"
    );
    status(200, &text)
}

fn take_part(contents: &mut Contents, asked: &Asked) -> Response<Body> {
    let nth: usize = asked.query["partNumber"].parse().unwrap();
    let Some(upload) = contents.uploads.get_mut(&asked.query["uploadId"]) else {
        return status(404, "<Error><Code>NoSuchUpload</Code></Error>");
    };
    upload.parts.insert(nth, asked.body.clone());
    let mut response = status(200, "");
    response.headers_mut().insert("etag", format!("\"part{nth}\"").parse().unwrap());
    response
}

fn complete(contents: &mut Contents, asked: &Asked) -> Response<Body> {
    if let Some(refusal) = refusal(contents, asked) {
        return refusal;
    }
    let Some(upload) = contents.uploads.remove(&asked.query["uploadId"]) else {
        return status(404, "<Error><Code>NoSuchUpload</Code></Error>");
    };
    let bytes: Vec<u8> = upload.parts.into_values().flatten().collect();
    let etag = store(contents, &upload.key, bytes.into(), upload.said);
    let text = format!(
        "<CompleteMultipartUploadResult><ETag>{etag}</ETag></CompleteMultipartUploadResult>"
    );
    status(200, &text)
}

fn delete_many(contents: &mut Contents, asked: &Asked) -> Response<Body> {
    let text = String::from_utf8_lossy(&asked.body).into_owned();
    let mut deleted = String::new();
    for part in text.split("<Key>").skip(1) {
        let key = part.split("</Key>").next().unwrap_or_default();
        contents.objects.remove(&unescaped(key));
        write!(deleted, "<Deleted><Key>{key}</Key></Deleted>").unwrap();
    }
    status(200, &format!("<DeleteResult>{deleted}</DeleteResult>"))
}

/// Pages of three, so that every listing of more has to go on.
fn list(contents: &Contents, asked: &Asked) -> Response<Body> {
    const PAGE: usize = 3;
    let of = |name: &str| asked.query.get(name).map_or("", String::as_str);
    let (prefix, delimiter) = (of("prefix"), of("delimiter"));
    let after = [of("continuation-token"), of("start-after")].into_iter().max().unwrap_or("");
    let (mut found, mut folders) = (String::new(), BTreeSet::new());
    let (mut n_found, mut last) = (0, None);
    let below = contents.objects.iter().filter(|(key, _)| key.starts_with(prefix));
    for (key, object) in below.filter(|(key, _)| key.as_str() > after) {
        if n_found == PAGE {
            let next = last.map_or(String::new(), escaped);
            write!(found, "<NextContinuationToken>{next}</NextContinuationToken>").unwrap();
            break;
        }
        last = Some(key.as_str());
        n_found += 1;
        let rest = &key[prefix.len()..];
        if let Some((folder, _)) = rest.split_once('/').filter(|_| !delimiter.is_empty()) {
            folders.insert(format!("{prefix}{folder}/"));
            continue;
        }
        write!(
            found,
            "<Contents><Key>{}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>\
             <ETag>{}</ETag><Size>{}</Size></Contents>",
            escaped(key),
            escaped(&object.etag()),
            object.bytes.len()
        )
        .unwrap();
    }
    for folder in folders {
        let folder = escaped(&folder);
        write!(found, "<CommonPrefixes><Prefix>{folder}</Prefix></CommonPrefixes>").unwrap();
    }
    status(200, &format!("<ListBucketResult>{found}</ListBucketResult>"))
}

fn status(code: u16, body: &str) -> Response<Body> {
    let mut response = Response::new(Body::from(body.to_owned()));
    *response.status_mut() = StatusCode::from_u16(code).unwrap();
    response
}

fn decoded(text: &str) -> String {
    let pair = text.replace('+', "%2B");
    let found =
        url::form_urlencoded::parse(pair.replace('&', "%26").replace('=', "%3D").as_bytes())
            .next()
            .map(|(key, _)| key.into_owned());
    found.unwrap_or_default()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn unescaped(text: &str) -> String {
    text.replace("&quot;", "\"").replace("&gt;", ">").replace("&lt;", "<").replace("&amp;", "&")
}
