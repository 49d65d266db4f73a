//! The day changed by hand while the stand-ins run: a few addresses of their own on loopback, for `curl`.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::day::EVE;
use crate::sandbox::{Fault, Sandbox, Service};
use crate::stage::table;

/// Longer heads than this are no request of ours.
const LONGEST_HEAD: u64 = 16 << 10;
/// How long a client may take for its request.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where the day is changed.
pub struct Controls<'a> {
    sandbox: &'a Sandbox,
    listener: TcpListener,
    url: String,
}

/// A status and a text.
type Answer = (&'static str, String);

impl<'a> Controls<'a> {
    /// Opens a port on loopback.
    ///
    /// # Errors
    /// If there is none.
    pub fn open(sandbox: &'a Sandbox) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").context("no free port on loopback")?;
        let url = format!("http://{}/demo", listener.local_addr()?);
        Ok(Self {
            sandbox,
            listener,
            url,
        })
    }

    /// What to type, and what each of it does.
    pub fn commands(&self) -> Vec<(String, &'static str)> {
        let curl = |what: &str| format!("curl -X POST {}/{what}", self.url);
        vec![
            (curl("cancel/cs_Seats"), "its user cancels a booking"),
            (curl("approve/cs_Approve"), "staff approve a booking"),
            (
                curl("deny/cs_Weekly"),
                "staff deny a booking: LibCal no longer lists it",
            ),
            (
                curl(&format!("card/{}/21000056", EVE.id)),
                "Eve gets a new card: before the next sync, `prune --user G10000005`, or her refusal waits an hour",
            ),
            (
                curl("lose-response"),
                "the next pre-registration is made, but its response is lost: a visit in doubt",
            ),
            (
                curl("down/libcal"),
                "a service (libcal, alma or passagepoint) stops responding: the next sync says so",
            ),
            (curl("up/libcal"), "and responds again"),
            (
                format!("curl {}/expected", self.url),
                "whom PassagePoint expects",
            ),
        ]
    }

    /// Answers one request after the other, for ever.
    pub fn serve(&self) -> ! {
        loop {
            if let Ok((stream, _)) = self.listener.accept() {
                // Whoever breaks off gets no answer.
                let _ = self.converse(&stream);
            }
        }
    }

    fn converse(&self, mut stream: &TcpStream) -> std::io::Result<()> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let mut head = BufReader::new(stream.take(LONGEST_HEAD)).lines();
        let request = head.next().transpose()?.unwrap_or_default();
        for line in head {
            if line?.is_empty() {
                break;
            }
        }
        let (status, text) = self.answer(&request);
        write!(
            stream,
            "HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}\n",
            text.len() + 1
        )
    }

    fn answer(&self, request: &str) -> Answer {
        let mut words = request.split(' ');
        let (method, target) = (words.next(), words.next().unwrap_or_default());
        let path = target.strip_prefix("/demo/").unwrap_or_default();
        match (method, path.split('/').collect::<Vec<_>>().as_slice()) {
            (Some("GET"), ["expected"]) => {
                let lines = table(self.sandbox, &self.sandbox.expected());
                ok(lines.join("\n"))
            }
            (Some("POST"), ["cancel", booking]) => self.set_status(booking, "Cancelled by User"),
            (Some("POST"), ["approve", booking]) => self.set_status(booking, "Mediated Approved"),
            (Some("POST"), ["deny", booking]) => self.set_status(booking, "Mediated Denied"),
            (Some("POST"), ["card", user, barcode]) => self.replace_card(user, barcode),
            (Some("POST"), ["lose-response"]) => {
                let prereg = Fault::on(Service::PassagePoint).path("createPreReg");
                self.sandbox.fault(prereg.cut_after().times(1));
                ok("the response to the next pre-registration will be lost")
            }
            (Some("POST"), [change @ ("up" | "down"), name]) => self.switch(name, *change == "up"),
            _ => {
                let commands = self.commands().into_iter().map(|(command, _)| command);
                let commands: Vec<_> = commands.collect();
                not_found(format!(
                    "there is no such thing here, but:\n{}",
                    commands.join("\n")
                ))
            }
        }
    }

    fn set_status(&self, booking: &str, status: &str) -> Answer {
        let mut world = self.sandbox.world();
        let mut rows = 0;
        for row in world.rows.iter_mut().filter(|row| row.is_of(booking)) {
            row.edit(|row| row["status"] = status.into());
            rows += 1;
        }
        match rows {
            0 => not_found(format!("LibCal has no booking {booking}")),
            _ => ok(format!("{booking} is {status} in LibCal")),
        }
    }

    fn replace_card(&self, primary_id: &str, barcode: &str) -> Answer {
        let mut world = self.sandbox.world();
        let mut users = world.users.iter_mut();
        let Some(user) = users.find(|user| user.primary_id == primary_id) else {
            return not_found(format!("Alma has no user {primary_id}"));
        };
        for identifier in &mut user.identifiers {
            identifier.status = Some("INACTIVE".to_owned());
        }
        *user = user.clone().barcode(barcode);
        ok(format!(
            "{primary_id} has the barcode {barcode} in Alma, and no other"
        ))
    }

    fn switch(&self, name: &str, up: bool) -> Answer {
        let mut services = Service::ALL.into_iter();
        let named = services.find(|service| format!("{service:?}").to_lowercase() == name);
        let Some(service) = named else {
            return not_found("the services are libcal, alma and passagepoint");
        };
        if up {
            self.sandbox.start(service);
            return ok(format!("{name} is up"));
        }
        self.sandbox.stop(service);
        ok(format!("{name} is down"))
    }
}

fn ok(text: impl Into<String>) -> Answer {
    ("200 OK", text.into())
}

fn not_found(text: impl Into<String>) -> Answer {
    ("404 Not Found", text.into())
}
