//! Signatures of Standard Webhooks: HMAC-SHA256 over `id.timestamp.body`.

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::STANDARD},
};
use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::domain::Secret;

/// Keys are copied by hand, and lose their padding on the way.
const KEY: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The secret is not `whsec_` and base64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("read the channel's secret: it must be `whsec_` followed by base64")]
pub(super) struct BadSecret;

/// The value of `webhook-signature`.
pub(super) fn sign(
    secret: &Secret,
    id: &str,
    sent_secs: i64,
    body: &[u8],
) -> Result<String, BadSecret> {
    let text = secret.reveal().trim();
    let key = KEY.decode(text.strip_prefix("whsec_").unwrap_or(text)).map_err(|_| BadSecret)?;
    if key.is_empty() {
        return Err(BadSecret);
    }
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).map_err(|_| BadSecret)?;
    mac.update(format!("{id}.{sent_secs}.").as_bytes());
    mac.update(body);
    Ok(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example that the libraries of standardwebhooks.com are tested with.
    #[test]
    fn a_signature_is_the_one_every_library_expects() {
        for text in [
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n",
        ] {
            let secret = Secret::new(text.into());
            let id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
            assert_eq!(
                sign(&secret, id, 1_614_265_330, br#"{"test": 2432232314}"#).unwrap(),
                "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
            );
        }
    }

    #[test]
    fn a_secret_that_is_no_key_is_refused_without_being_shown() {
        for text in ["whsec_", "", "hunter2!", "whsec_%%%"] {
            assert_eq!(sign(&Secret::new(text.into()), "id", 0, b""), Err(BadSecret));
        }
        assert!(!BadSecret.to_string().contains("hunter2"));
    }
}
