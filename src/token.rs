//! A token that a service gave us, kept for all threads together.
//!
//! How to log in, and which answer means that the token has run out, the
//! service modules say.

use std::sync::{Mutex, PoisonError};

use crate::http::{Failure, Reply};

/// One service's token for the length of a run.
#[derive(Default)]
pub struct Session {
    state: Mutex<State>,
}

#[derive(Default)]
enum State {
    #[default]
    None,
    Live(Token),
    /// Logging in failed, or the fresh token was turned away: not tried again in this run.
    Failed(String),
}

/// A token, of which only the session knows the text.
#[derive(Clone)]
pub struct Token {
    text: String,
    /// How many tokens came before it; tells two of the same text apart.
    number: u32,
}

impl Session {
    /// Asks with the token at hand, logging in first where there is none. If the
    /// answer says that the token has run out, logs in again, once for all
    /// threads, and gives the second answer, whatever it says.
    ///
    /// # Errors
    /// The failure of the login or of `ask`.
    pub fn ask(
        &self,
        login: impl Fn() -> Result<String, Failure>,
        ran_out: impl Fn(&Reply) -> bool,
        ask: impl Fn(&str) -> Result<Reply, Failure>,
    ) -> Result<Reply, Failure> {
        let first = self.token(None, &login)?;
        let reply = ask(&first.text)?;
        if !ran_out(&reply) {
            return Ok(reply);
        }
        let second = self.token(Some(first.number), &login)?;
        ask(&second.text)
    }

    /// Gives the service up for this run: even a fresh token was turned away.
    pub fn fail(&self, cause: &str) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) =
            State::Failed(cause.to_owned());
    }

    /// Why the service was given up, if it was; does not wait for a login under way.
    #[must_use]
    pub fn failed(&self) -> Option<String> {
        match &*self.state.try_lock().ok()? {
            State::Failed(cause) => Some(cause.clone()),
            State::None | State::Live(_) => None,
        }
    }

    /// The live token, or a new one if there is none or it is the one that has run out.
    ///
    /// # Errors
    /// The failure of this login, or of one before it in this run.
    pub fn token(
        &self,
        ran_out: Option<u32>,
        login: &impl Fn() -> Result<String, Failure>,
    ) -> Result<Token, Failure> {
        // Held while logging in, so that the other threads wait for this login instead of their own.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let number = match &*state {
            State::Failed(cause) => {
                return Err(Failure::not_tried(cause.clone()));
            }
            State::Live(token) if Some(token.number) != ran_out => return Ok(token.clone()),
            State::Live(token) => token.number + 1,
            State::None => 0,
        };
        match login() {
            Ok(text) => {
                let token = Token { text, number };
                *state = State::Live(token.clone());
                Ok(token)
            }
            Err(failure) => {
                // Whatever became of the login, what was to follow it was not sent.
                *state = State::Failed(failure.cause.clone());
                Err(Failure::not_tried(failure.cause))
            }
        }
    }
}
