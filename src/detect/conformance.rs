//! What every detector owes.
