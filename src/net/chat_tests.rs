//! Asking a stand-in on this machine that behaves well and badly.

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use super::*;
use crate::domain::{Secret, Span};

const KEY: &str = "sk-4711-secret";

fn spec(base: &str, allow_private: bool) -> ExplainSpec {
    ExplainSpec {
        url: Secret::new(format!("{base}/v1/")),
        model: "tiny".into(),
        api_key: Some(Secret::new(KEY.into())),
        timeout: Span::secs(10),
        max_tokens: 77,
        daily_limit: 10,
        allow_private,
    }
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    length.is_none_or(|length| length.parse() == Ok(body.len()))
}

/// Asks an endpoint that answers so, and then says nothing more.
async fn asked(answer: &[u8]) -> (String, Result<String, ChatError>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let serving = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        while !is_whole(&request) {
            assert_ne!(stream.read_buf(&mut request).await.unwrap(), 0);
        }
        // Who has heard enough hangs up.
        stream.write_all(answer).await.unwrap_or_default();
        (String::from_utf8(request).unwrap(), stream)
    };
    let (spec, client) = (spec(&base, true), Client::new());
    let question = Question { rules: "be brief", facts: "{}" };
    // Long enough for an answer, short enough to wait for none.
    let patience = Duration::from_millis(if answer.is_empty() { 50 } else { 20_000 });
    let ((request, _stream), said) = tokio::join!(serving, ask(&client, &spec, question, patience));
    (request, said)
}

fn http(status: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n{body}").into_bytes()
}

#[tokio::test]
async fn a_model_is_asked_as_openai_describes_it() {
    let body = r#"{"choices":[{"message":{"role":"assistant","content":"Orders fell."}}]}"#;
    let (request, said) = asked(&http("200 OK", body)).await;
    assert_eq!(said, Ok("Orders fell.".into()));
    assert!(request.starts_with("POST /v1/chat/completions HTTP/1.1"), "{request}");
    assert!(request.contains(&format!("authorization: Bearer {KEY}")), "{request}");
    let body: serde_json::Value =
        serde_json::from_str(request.split("\r\n\r\n").nth(1).unwrap()).unwrap();
    assert_eq!(body["max_tokens"], 77);
    assert_eq!(body["messages"][0], json!({"role": "system", "content": "be brief"}));
    assert_eq!(body["messages"][1]["content"], "{}");
}

#[tokio::test]
async fn what_is_no_answer_is_told_apart() {
    let check = async |answer: Vec<u8>, expected: ChatError| {
        assert_eq!(asked(&answer).await.1, Err(expected));
    };
    check(http("200 OK", r#"{"choices":[]}"#), ChatError::NoText).await;
    check(http("200 OK", r#"{"choices":[{"message":{"content":" "}}]}"#), ChatError::NoText).await;
    check(http("200 OK", "<html>hello</html>"), ChatError::NoText).await;
    check(http("200 OK", "null"), ChatError::NoText).await;
    let status = |status, said: &str| ChatError::Status { status, said: said.into() };
    check(http("500 Oh", "no"), status(500, "")).await;
    check(http("302 Found\r\nlocation: http://127.0.0.1:1/", ""), status(302, "")).await;
    let body = format!(r#"{{"error":{{"message":"quota of {KEY}\nis used up"}}}}"#);
    let said = ": quota of [secret]\\nis used up";
    check(http("429 Slow", &body.replace('\n', "\\n")), status(429, said)).await;
    check(Vec::new(), ChatError::Late).await;
}

#[tokio::test]
async fn no_part_of_the_address_that_a_refusal_repeats_is_passed_on() {
    let mut spec = spec("https://x.example/t0ken-4711", true);
    spec.url = Secret::new("https://x.example/t0ken-4711/v1?code=s3cret-part".into());
    let body = r#"{"error":{"message":"no route /t0ken-4711/v1 for s3cret-part"}}"#;
    let error = refusal(&spec, 404, body.as_bytes()).to_string();
    assert_eq!(error, "the endpoint answered 404: no route /[secret]/v1 for [secret]");
}

#[tokio::test]
async fn of_a_very_long_answer_no_more_is_read_than_an_answer_may_have() {
    let mut answer = b"HTTP/1.1 200 OK\r\ncontent-length: 52428800\r\n\r\n".to_vec();
    answer.resize(1 << 20, b'x');
    assert_eq!(asked(&answer).await.1, Err(ChatError::TooLong));
}

#[tokio::test]
async fn an_address_inside_is_not_called_unless_allowed_and_not_repeated() {
    let question = Question { rules: "", facts: "" };
    let patience = Duration::from_secs(5);
    let client = Client::new();
    for base in ["http://127.0.0.1:9/t0ken", "http://169.254.169.254/t0ken", "ftp://x/t0ken"] {
        let error = ask(&client, &spec(base, false), question, patience).await.unwrap_err();
        assert!(matches!(error, ChatError::Address(_)), "{error}");
        assert!(!error.to_string().contains("t0ken"), "{error}");
    }
    let error = ask(&client, &spec("http://localhost:9/t0ken", false), question, patience).await;
    let error = error.unwrap_err().to_string();
    assert!(error.contains("allow_private") && !error.contains("t0ken"), "{error}");
}
