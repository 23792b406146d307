//! Who asks, and whether they may. A token comes as `Authorization: Bearer …`, or as the password of
//! basic authentication, which is how browsers sign in. Without configured tokens this machine may
//! read and nobody may change anything.

use std::net::IpAddr;

use axum::{
    extract::RawPathParams,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};

use super::failure::Failure;
use crate::domain::{Role, Secret, TokenSpec};

/// What a refused asker is told to bring; the first is what browsers ask a person for.
pub(super) const CHALLENGES: [&str; 2] =
    [r#"Basic realm="anomstack", charset="UTF-8""#, r#"Bearer realm="anomstack""#];

/// What a request needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Need {
    /// Nothing: probes, and what a page looks like.
    Nothing,
    /// Nothing but its address: the signature in it is what counts.
    Signed,
    /// A token of this role or a higher one.
    Role(Role),
    /// An operator's token, or that of the batch whose rows are pushed.
    Push {
        /// The batch, as the address names it.
        batch: String,
    },
}

impl Need {
    /// What a route needs. One that is not named here may be read by viewers and is changed by
    /// operators, so a new route is never open by omission.
    pub(super) fn of(route: &str, method: &Method, params: Option<&RawPathParams>) -> Self {
        let batch = || {
            let named = params.and_then(|params| params.iter().find(|(name, _)| *name == "batch"));
            named.map_or(String::new(), |(_, batch)| batch.to_owned())
        };
        match (route, method.is_safe()) {
            ("/healthz" | "/readyz" | "/assets/{name}", true) => Self::Nothing,
            ("/l/{token}", _) | ("/c/{token}", true) => Self::Signed,
            ("/api/v1/batches/{batch}/points" | "/api/v1/batches/{batch}/write", false) => {
                Self::Push { batch: batch() }
            }
            (_, true) => Self::Role(Role::Viewer),
            (_, false) => Self::Role(Role::Operator),
        }
    }
}

/// Whose tokens count for a request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Keys<'a> {
    /// The server's.
    pub(super) tokens: &'a [TokenSpec],
    /// That of the batch the request pushes to.
    pub(super) of_batch: Option<&'a Secret>,
    /// The address the server listens on.
    pub(super) bound: IpAddr,
}

impl Keys<'_> {
    /// Lets the asker pass, or says why not.
    pub(super) fn admit(&self, need: &Need, headers: &HeaderMap) -> Result<(), Failure> {
        let wanted = match need {
            Need::Nothing | Need::Signed => return Ok(()),
            // Nothing that changes anything is behind these routes.
            Need::Role(Role::Viewer) if self.tokens.is_empty() && self.bound.is_loopback() => {
                return Ok(());
            }
            Need::Role(role) => *role,
            Need::Push { .. } => Role::Operator,
        };
        let is_push = matches!(need, Need::Push { .. });
        if is_push && self.tokens.is_empty() && self.of_batch.is_none() {
            let message = "nobody may push to this batch: enable it and set `token` in its [source], \
                           or [server.tokens]";
            return Err(Failure::new(StatusCode::FORBIDDEN, message));
        }
        if matches!(need, Need::Role(_)) && self.tokens.is_empty() && self.bound.is_loopback() {
            let message = "nobody may change anything here: set [server.tokens]";
            return Err(Failure::new(StatusCode::FORBIDDEN, message));
        }
        let Some(presented) = presented(headers) else {
            let message = "a token is needed: send it as `Authorization: Bearer …`, or as the \
                           password of any user";
            return Err(Failure::new(StatusCode::UNAUTHORIZED, message));
        };
        let of_batch = self.of_batch.filter(|_| is_push);
        if of_batch.is_some_and(|token| is_same(&presented, token)) {
            return Ok(());
        }
        match self.role_of(&presented) {
            Some(role) if wanted <= role => Ok(()),
            Some(role) => {
                let message = format!("this takes the role {wanted}; the token's is {role}");
                Err(Failure::new(StatusCode::FORBIDDEN, &message))
            }
            None => Err(Failure::new(StatusCode::UNAUTHORIZED, "this token is not known here")),
        }
    }

    /// The role of a token. Every token is looked at, so that the time tells nothing.
    fn role_of(&self, presented: &str) -> Option<Role> {
        let fits =
            self.tokens.iter().map(|spec| is_same(presented, &spec.token).then_some(spec.role));
        fits.fold(None, Option::max)
    }
}

/// The name of the token a request carries.
pub(super) fn name(tokens: &[TokenSpec], headers: &HeaderMap) -> Option<String> {
    let presented = presented(headers)?;
    tokens.iter().find(|spec| is_same(&presented, &spec.token)).map(|spec| spec.name.clone())
}

/// Whether a request carries a token that may do something about alerts.
pub(super) fn may_act(tokens: &[TokenSpec], headers: &HeaderMap) -> bool {
    let presented = presented(headers).unwrap_or_default();
    tokens.iter().any(|spec| is_same(&presented, &spec.token) && Role::Operator <= spec.role)
}

/// The token a request carries.
fn presented(headers: &HeaderMap) -> Option<String> {
    let header = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, rest) = header.split_once(' ')?;
    let rest = rest.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(rest.to_owned());
    }
    if scheme.eq_ignore_ascii_case("basic") {
        let pair = String::from_utf8(STANDARD.decode(rest).ok()?).ok()?;
        return pair.split_once(':').map(|(_, password)| password.to_owned());
    }
    None
}

/// Compares digests byte by byte to the end: neither length nor likeness shows in the time it takes.
fn is_same(presented: &str, token: &Secret) -> bool {
    let (one, other) = (Sha256::digest(presented), Sha256::digest(token.reveal()));
    one.iter().zip(other).fold(0, |differing, (one, other)| differing | (one ^ other)) == 0
}

/// Refuses what another site makes a browser do: it sends this site's password along by itself.
pub(super) fn refuse_foreign(
    method: &Method,
    headers: &HeaderMap,
    authority: &str,
) -> Result<(), Failure> {
    if method.is_safe() {
        return Ok(());
    }
    let text = |value: &HeaderValue| value.to_str().unwrap_or_default().to_owned();
    let site = headers.get("sec-fetch-site").map(text);
    let origin = headers.get(header::ORIGIN).map(text);
    let is_own_site = site.is_none_or(|site| matches!(site.as_str(), "same-origin" | "none"));
    let is_own_origin = origin.is_none_or(|origin| {
        let host = origin.split_once("://").map(|(_, host)| host);
        host.is_some_and(|host| host.eq_ignore_ascii_case(authority))
    });
    if is_own_site && is_own_origin {
        return Ok(());
    }
    let message = "a page of another site may change nothing here";
    Err(Failure::new(StatusCode::FORBIDDEN, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    const VIEWER: &str = "viewer-token-0123456789";
    const OPERATOR: &str = "operator-token-0123456789";
    const BATCH: &str = "batch-token-0123456789";

    fn secret(text: &str) -> Secret {
        Secret::new(text.into())
    }

    fn headers(of: &[(&'static str, String)]) -> HeaderMap {
        of.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    fn bearer(token: &str) -> HeaderMap {
        headers(&[("authorization", format!("bearer {token}"))])
    }

    fn push() -> Need {
        Need::Push { batch: "shop".into() }
    }

    /// The status of a request, 200 when it passes.
    fn status(bound: &str, has_tokens: bool, need: &Need, headers: &HeaderMap) -> u16 {
        let token =
            |role: Role, token| TokenSpec { name: role.to_string(), role, token: secret(token) };
        let tokens = [token(Role::Viewer, VIEWER), token(Role::Operator, OPERATOR)];
        let own = secret(BATCH);
        let keys = Keys {
            tokens: if has_tokens { &tokens } else { &[] },
            of_batch: has_tokens.then_some(&own),
            bound: bound.parse().unwrap(),
        };
        keys.admit(need, headers).map_or_else(|failure| failure.status.as_u16(), |()| 200)
    }

    #[track_caller]
    fn check(need: &Need, token: &str, expected: u16) {
        assert_eq!(status("10.0.0.7", true, need, &bearer(token)), expected, "{token}");
        let basic = STANDARD.encode(format!("anyone:{token}"));
        let basic = headers(&[("authorization", format!("Basic {basic}"))]);
        assert_eq!(status("127.0.0.1", true, need, &basic), expected, "{token} as password");
    }

    #[test]
    fn a_role_may_do_its_own_and_what_lower_roles_may() {
        check(&Need::Role(Role::Viewer), VIEWER, 200);
        check(&Need::Role(Role::Viewer), OPERATOR, 200);
        check(&Need::Role(Role::Operator), VIEWER, 403);
        check(&Need::Role(Role::Operator), OPERATOR, 200);
        check(&Need::Role(Role::Admin), OPERATOR, 403);
        check(&push(), VIEWER, 403);
        check(&push(), OPERATOR, 200);
    }

    #[test]
    fn a_batchs_own_token_pushes_and_does_nothing_else() {
        check(&push(), BATCH, 200);
        check(&Need::Role(Role::Viewer), BATCH, 401);
        check(&Need::Role(Role::Operator), BATCH, 401);
    }

    #[test]
    fn a_token_that_is_none_or_nearly_one_is_refused() {
        for token in ["", "x", &VIEWER[1..], &format!("{OPERATOR}x"), &OPERATOR.to_uppercase()] {
            check(&push(), token, 401);
            check(&Need::Role(Role::Viewer), token, 401);
        }
        let none = HeaderMap::new();
        assert_eq!(status("127.0.0.1", true, &Need::Role(Role::Viewer), &none), 401);
        assert_eq!(status("127.0.0.1", true, &Need::Nothing, &none), 200);
    }

    #[test]
    fn without_tokens_this_machine_reads_and_nobody_pushes() {
        let none = HeaderMap::new();
        assert_eq!(status("127.0.0.1", false, &Need::Role(Role::Viewer), &none), 200);
        assert_eq!(status("127.0.0.1", false, &Need::Role(Role::Operator), &none), 403);
        assert_eq!(status("0.0.0.0", false, &Need::Role(Role::Viewer), &none), 401);
        assert_eq!(status("127.0.0.1", false, &push(), &none), 403);
        assert_eq!(status("127.0.0.1", false, &push(), &bearer(OPERATOR)), 403);
    }

    #[test]
    fn another_sites_page_changes_nothing_and_programs_are_not_asked() {
        let passes = |method: Method, of: &[(&'static str, String)]| {
            refuse_foreign(&method, &headers(of), "anomstack.example:8087").is_ok()
        };
        assert!(passes(Method::POST, &[]));
        assert!(passes(Method::POST, &[("origin", "https://anomstack.example:8087".into())]));
        assert!(passes(Method::POST, &[("sec-fetch-site", "same-origin".into())]));
        assert!(passes(Method::GET, &[("origin", "https://evil.example".into())]));
        for foreign in ["https://evil.example", "null", "https://anomstack.example.evil.example"] {
            assert!(!passes(Method::POST, &[("origin", foreign.into())]), "{foreign}");
        }
        for site in ["cross-site", "same-site"] {
            assert!(!passes(Method::POST, &[("sec-fetch-site", site.into())]), "{site}");
        }
    }
}
