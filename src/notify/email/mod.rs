//! The `email` channel: one mail to all its recipients through an SMTP server. Until the mail's body
//! is on its way nothing can have arrived; from then on only the server's answer tells.

mod mime;
mod stream;
#[cfg(test)]
mod tests;

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use lettre::{
    Address,
    transport::smtp::{
        Error,
        authentication::{Credentials, Mechanism},
        client::{AsyncSmtpConnection, Certificate, CertificateStore, TlsParameters},
        commands::{Data, Mail, Rcpt},
        extension::ClientId,
    },
};
use tokio::{net::TcpStream, time};

use self::{mime::Letter, stream::Bounded};
use super::{
    Message, Outcome,
    call::{Caller, refused},
};
use crate::{
    domain::{EmailSpec, MailTls},
    net::{self, chain},
};

/// Recipients who are put off hold up the others for so many attempts.
const PATIENCE: u32 = 3;
/// Nothing depends on the goodbye.
const LONGEST_GOODBYE: Duration = Duration::from_secs(1);

/// Sends the message once.
pub(super) async fn send(spec: &EmailSpec, message: &Message, caller: &Caller<'_>) -> Outcome {
    let letter = match mime::letter(spec, message) {
        Ok(letter) => letter,
        Err(error) => return refused(format!("write the mail: {}", chain(&error))),
    };
    let limit = caller.timeout();
    let session = Session { spec, caller, has_begun: AtomicBool::new(false) };
    match time::timeout(limit.to_std(), session.run(&letter, message.attempt)).await {
        Ok(Ok(mut connection)) => {
            let goodbye = time::timeout(LONGEST_GOODBYE, connection.quit()).await;
            if goodbye.is_err() {
                tracing::debug!("the mail server did not say goodbye");
            }
            Outcome::Sent
        }
        Ok(Err(outcome)) => outcome,
        Err(_) => session.retry(format!("no answer within {limit}")),
    }
}

struct Session<'a> {
    spec: &'a EmailSpec,
    caller: &'a Caller<'a>,
    /// Whether the server may have all of the mail.
    has_begun: AtomicBool,
}

impl Session<'_> {
    /// One mail; the connection is still open afterwards.
    async fn run(&self, letter: &Letter, attempt: u32) -> Result<AsyncSmtpConnection, Outcome> {
        let mut connection = self.connect().await?;
        if let Some((user, password)) = &self.spec.login {
            let credentials = Credentials::new(user.clone(), password.reveal().to_owned());
            let signed_in = connection.auth(&[Mechanism::Plain, Mechanism::Login], &credentials);
            signed_in.await.map_err(|error| self.failed("sign in", &error))?;
        }
        let sender = Mail::new(Some(letter.from.clone()), Vec::new());
        connection.command(sender).await.map_err(|error| self.failed("name the sender", &error))?;
        self.name_recipients(&mut connection, &letter.to, attempt).await?;
        connection.command(Data).await.map_err(|error| self.failed("begin the mail", &error))?;
        self.has_begun.store(true, Ordering::Relaxed);
        connection.message(&letter.bytes).await.map_err(|error| self.failed("send", &error))?;
        Ok(connection)
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, Outcome> {
        let EmailSpec { host, port, tls, .. } = self.spec;
        let addresses = net::lookup(host, *port, self.caller.reach()).await;
        let addresses = addresses.map_err(|error| match error {
            net::LookupError::Forbidden(forbidden) => refused(forbidden.to_string()),
            net::LookupError::Name(error) => {
                self.retry(format!("look up the mail server: {error}"))
            }
        })?;
        let hello = ClientId::default();
        let connected = |error: Error| self.failed("connect to the mail server", &error);
        if *tls == MailTls::Tls {
            let (tls, limit) = (self.tls()?, Some(self.caller.timeout().to_std()));
            let connecting = AsyncSmtpConnection::connect_tokio1(
                addresses.as_slice(),
                limit,
                &hello,
                Some(tls),
                None,
            );
            return connecting.await.map_err(connected);
        }
        let stream = TcpStream::connect(addresses.as_slice())
            .await
            .map_err(|error| self.retry(format!("connect to the mail server: {error}")))?;
        let stream = Box::new(Bounded::new(stream));
        let mut connection =
            AsyncSmtpConnection::connect_with_transport(stream, &hello).await.map_err(connected)?;
        if *tls == MailTls::Starttls {
            if !connection.can_starttls() {
                return Err(refused("the mail server does not offer STARTTLS".into()));
            }
            let encrypted = connection.starttls(self.tls()?, &hello).await;
            encrypted.map_err(|error| self.failed("encrypt the connection", &error))?;
        }
        Ok(connection)
    }

    fn tls(&self) -> Result<TlsParameters, Outcome> {
        let mut builder = TlsParameters::builder(self.spec.host.clone());
        if let Some(path) = &self.spec.ca_file {
            let unusable = |reason: String| {
                self.retry(format!("read certificates from `{}`: {reason}", path.display()))
            };
            let pem = std::fs::read(path).map_err(|error| unusable(error.to_string()))?;
            let certificate =
                Certificate::from_pem(&pem).map_err(|error| unusable(chain(&error)))?;
            builder =
                builder.certificate_store(CertificateStore::None).add_root_certificate(certificate);
        }
        builder.build().map_err(|error| self.retry(format!("set up TLS: {}", chain(&error))))
    }

    /// Names everybody. Who is refused for good is left out as long as somebody remains; who is put
    /// off holds up the others for a few attempts, and is left out then.
    async fn name_recipients(
        &self,
        connection: &mut AsyncSmtpConnection,
        recipients: &[Address],
        attempt: u32,
    ) -> Result<(), Outcome> {
        let (mut n_taken, mut first_refusal) = (0_usize, None);
        for recipient in recipients {
            let answer = connection.command(Rcpt::new(recipient.clone(), Vec::new())).await;
            let Err(error) = answer else {
                n_taken += 1;
                continue;
            };
            let outcome = self.failed("name a recipient", &error);
            let is_settled = error.is_permanent() || (error.is_transient() && PATIENCE < attempt);
            if !is_settled {
                return Err(outcome);
            }
            tracing::warn!(
                server = %self.spec.host,
                "a recipient does not get this mail: {}",
                self.caller.quoted(&chain(&error))
            );
            first_refusal = first_refusal.or(Some(outcome));
        }
        match first_refusal {
            Some(outcome) if n_taken == 0 => Err(outcome),
            _ => Ok(()),
        }
    }

    fn failed(&self, what: &str, error: &Error) -> Outcome {
        let reason = format!("{what}: {}", self.caller.quoted(&chain(error)));
        let status = error.status().and_then(|code| code.to_string().parse().ok());
        if error.is_permanent() || error.is_client() {
            return Outcome::Refused { reason, status };
        }
        if error.is_transient() {
            return Outcome::Retry { reason, status, ambiguous: false };
        }
        self.retry(reason)
    }

    /// What nobody has answered.
    fn retry(&self, reason: String) -> Outcome {
        let ambiguous = self.has_begun.load(Ordering::Relaxed);
        Outcome::Retry { reason, status: None, ambiguous }
    }
}
