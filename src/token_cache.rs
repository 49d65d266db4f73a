//! A token cache: keeps the token of a service for all threads together.
//!
//! How to log in, and which response means that the token has expired, the
//! service modules say.

use std::sync::{Mutex, PoisonError};

use crate::http::{Failure, Response};

/// One service's token for the length of a run.
#[derive(Default)]
pub struct TokenCache {
    state: Mutex<State>,
}

#[derive(Default)]
enum State {
    #[default]
    Empty,
    Valid(Token),
    /// The login failed: it is not tried again in this run.
    Failed(String),
}

/// A token, whose text only the cache knows.
#[derive(Clone)]
pub struct Token {
    text: String,
    /// How many tokens came before it; tells two of the same text apart.
    generation: u32,
}

impl TokenCache {
    /// Sends a request with the cached token, logging in first where there is none. If the
    /// response says that the token has expired, logs in again, once for all
    /// threads, and returns the second response, whatever it says.
    ///
    /// # Errors
    /// The failure of the login or of `send`.
    pub fn with_token(
        &self,
        login: impl Fn() -> Result<String, Failure>,
        is_expired: impl Fn(&Response) -> bool,
        send: impl Fn(&str) -> Result<Response, Failure>,
    ) -> Result<Response, Failure> {
        let first = self.ensure_token(None, &login)?;
        let response = send(&first.text)?;
        if !is_expired(&response) {
            return Ok(response);
        }
        let second = self.ensure_token(Some(first.generation), &login)?;
        send(&second.text)
    }

    /// Why there is no token in this run, if the login failed; does not wait for a login in progress.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        match &*self.state.try_lock().ok()? {
            State::Failed(cause) => Some(cause.clone()),
            State::Empty | State::Valid(_) => None,
        }
    }

    /// The cached token; a new one if there is none, or if the cached one is of the generation
    /// that has expired.
    ///
    /// # Errors
    /// The failure of this login, or of an earlier one in this run.
    pub fn ensure_token(
        &self,
        expired: Option<u32>,
        login: &impl Fn() -> Result<String, Failure>,
    ) -> Result<Token, Failure> {
        // Held while logging in, so that the other threads wait for this login instead of their own.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let generation = match &*state {
            State::Failed(cause) => {
                return Err(Failure::not_tried(cause.clone()));
            }
            State::Valid(token) if Some(token.generation) != expired => return Ok(token.clone()),
            State::Valid(token) => token.generation + 1,
            State::Empty => 0,
        };
        match login() {
            Ok(text) => {
                let token = Token { text, generation };
                *state = State::Valid(token.clone());
                Ok(token)
            }
            Err(failure) => {
                // Whatever happened to the login, the request that was to follow it was not sent.
                *state = State::Failed(failure.cause.clone());
                Err(Failure::not_tried(failure.cause))
            }
        }
    }
}
