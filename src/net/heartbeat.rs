//! A sign of life: an address elsewhere is called, so that somebody notices when it is not.

use std::time::Duration;

use url::Url;

use super::{Client, Reach, chain, check};
use crate::domain::HeartbeatSpec;

/// Longest time for one call.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Calls the address once.
///
/// # Errors
/// Why nobody has taken the call, without the address, as it may hold a token.
pub async fn beat(client: &Client, heartbeat: &HeartbeatSpec) -> Result<(), String> {
    let url = Url::parse(heartbeat.url.reveal().trim()).map_err(|_| "its address is no URL")?;
    let reach = if heartbeat.allow_private { Reach::Anywhere } else { Reach::Public };
    check(&url, reach).map_err(|error| error.to_string())?;
    let said = |error: reqwest::Error| chain(&error.without_url());
    let client = client.to(&url, reach).map_err(said)?;
    let answer = client.get(url).timeout(TIMEOUT).send().await.map_err(said)?.status();
    match answer.is_success() {
        true => Ok(()),
        false => Err(format!("the receiver answered {answer}")),
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
    };

    use super::*;
    use crate::domain::{Secret, Span};

    fn heartbeat(url: &str, allow_private: bool) -> HeartbeatSpec {
        HeartbeatSpec { url: Secret::new(url.into()), every: Span::secs(300), allow_private }
    }

    #[tokio::test]
    async fn the_heartbeat_calls_its_address_and_a_private_one_only_if_allowed() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/ping/token-4711", listener.local_addr().unwrap());
        let refused = beat(&Client::new(), &heartbeat(&url, false)).await.unwrap_err();
        assert!(refused.contains("allow_private") && !refused.contains("4711"), "{refused}");
        let answer = async {
            for status in ["204 No Content", "500 Oh"] {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = vec![0; 4_096];
                let n = stream.read(&mut request).await.unwrap();
                assert!(request[..n].starts_with(b"GET /ping/token-4711 HTTP/1.1"));
                let text = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
                stream.write_all(text.as_bytes()).await.unwrap();
            }
        };
        let call = async {
            let client = Client::new();
            let first = beat(&client, &heartbeat(&url, true)).await;
            (first, beat(&client, &heartbeat(&url, true)).await)
        };
        let ((), (first, second)) = tokio::join!(answer, call);
        assert_eq!(first, Ok(()));
        let reason = second.unwrap_err();
        assert!(reason.contains("500") && !reason.contains("4711"), "{reason}");
    }
}
