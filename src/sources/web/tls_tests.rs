//! Servers that speak TLS with certificates of a test authority.

use std::{
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    RootCertStore, ServerConfig, ServerConnection, StreamOwned,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::WebPkiClientVerifier,
};

use super::{
    testing::{ok, rows_at},
    tests::shown,
};
use crate::{
    domain::{Endpoint, SourceKind},
    sources::tests::{batch, read_at},
};

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tls").join(name)
}

fn certificate(name: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(file(name)).unwrap()
}

/// Answers one request after the other, with a TLS that asks for a client's certificate or not.
fn serve(listener: TcpListener, asks: bool) {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(certificate("ca.pem")).unwrap();
    let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), Arc::clone(&provider));
    let builder = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap();
    let builder = match asks {
        true => builder.with_client_cert_verifier(verifier.build().unwrap()),
        false => builder.with_no_client_auth(),
    };
    let key = PrivateKeyDer::from_pem_file(file("server.key")).unwrap();
    let config = builder.with_single_cert(vec![certificate("server.pem")], key).unwrap();
    let config = Arc::new(config);
    for stream in listener.incoming() {
        let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
        let mut stream = BufReader::new(StreamOwned::new(connection, stream.unwrap()));
        let mut line = String::new();
        while stream.read_line(&mut line).is_ok_and(|n| 2 < n) {
            line.clear();
        }
        // Who is refused, or refuses, hangs up.
        drop(stream.get_mut().write_all(&ok("text/csv", "v\n1\n")));
        stream.get_mut().conn.send_close_notify();
        drop(stream.get_mut().flush());
    }
}

async fn read(asks: bool, change: impl FnOnce(&mut Endpoint)) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut spec = rows_at(format!("https://localhost:{}/", listener.local_addr().unwrap().port()));
    std::thread::spawn(move || serve(listener, asks));
    change(&mut spec.endpoint);
    shown(read_at(&batch(SourceKind::Http(spec)), None).await)
}

fn trusting(endpoint: &mut Endpoint) {
    endpoint.ca_file = Some(file("ca.pem"));
}

#[tokio::test]
async fn a_server_is_trusted_by_the_authority_that_was_named_and_by_no_other() {
    assert_eq!(read(false, trusting).await, "v|1");
    let untrusted = read(false, |_| ()).await;
    assert!(untrusted.starts_with("ask the server: "), "{untrusted}");
    let other = |endpoint: &mut Endpoint| endpoint.ca_file = Some(file("client.pem"));
    let untrusted = read(false, other).await;
    assert!(untrusted.contains("certificate"), "{untrusted}");
}

#[tokio::test]
async fn a_server_that_asks_who_calls_is_told_by_the_certificate() {
    let certified = |endpoint: &mut Endpoint| {
        trusting(endpoint);
        endpoint.identity = Some((file("client.pem"), file("client.key")));
    };
    assert_eq!(read(true, certified).await, "v|1");
    let refused = read(true, trusting).await;
    assert!(refused.starts_with("ask the server: "), "{refused}");
}

#[tokio::test]
async fn a_file_that_holds_no_certificate_is_named() {
    let wrong = |endpoint: &mut Endpoint| endpoint.ca_file = Some(file("client.key"));
    let error = read(false, wrong).await;
    assert!(error.starts_with("use the certificate `"), "{error}");
    assert!(error.contains("client.key`: it holds no PEM certificate"), "{error}");
    let gone = |endpoint: &mut Endpoint| endpoint.ca_file = Some(file("gone.pem"));
    assert!(read(false, gone).await.contains("gone.pem`: "), "a missing file");
}
