//! Fault injection: each request of a pass fails in each way, and the passes after it reach the state that a clean pass
//! reaches.

use std::time::Duration;

use crate::day::{end_well, set_up_small_day, steps_of_a_clean_pass};
use crate::sandbox::{Fault, Run, Sandbox};
use crate::support::in_parallel;

/// Runs a pass in which just one request meets the fault, for each request, and then clean ones. Gives how many
/// pre-registrations came to be there that need not be, over all of them.
fn break_each_request(fault: impl Fn(Fault) -> Fault + Sync) -> usize {
    let steps = steps_of_a_clean_pass();
    for_each(steps.len(), |sandbox, n| {
        sandbox.fault(fault(steps[n - 1].request()));
    })
}

/// The same, with `prepare` to say what goes wrong the n-th time. Several run side by side.
fn for_each(number: usize, prepare: impl Fn(&Sandbox, usize) + Sync) -> usize {
    let try_at = |&n: &usize| {
        let sandbox = set_up_small_day();
        prepare(&sandbox, n);
        // All that it may ever say, so that the end tells whether a secret was in it.
        let mut pass = sandbox.command(&["-v", "sync"]);
        pass.env("RUST_LOG", "trace");
        let run = Run::of(pass);
        end_well(&sandbox, vec![run], &format!("request {n}"))
    };
    let requests: Vec<_> = (1..=number).collect();
    in_parallel(6, &requests, try_at).into_iter().sum()
}

#[test]
fn a_connection_that_is_refused() {
    let twice = for_each(steps_of_a_clean_pass().len(), Sandbox::refuse_from);
    assert_eq!(twice, 0, "what never was sent cannot be doubled");
}

#[test]
fn a_connection_that_is_cut_before_the_service_acted() {
    assert_eq!(break_each_request(Fault::cut_before), 0);
}

#[test]
fn a_connection_that_is_cut_after_the_service_acted() {
    // Nobody can know; each of the four is named.
    assert_eq!(break_each_request(Fault::cut_after), 4);
}

#[test]
fn half_an_answer() {
    assert_eq!(break_each_request(Fault::half_answer), 4);
}

#[test]
fn no_answer_within_the_time() {
    let twice = break_each_request(|fault| fault.hang(Duration::from_secs(60)));
    assert_eq!(twice, 0);
}

#[test]
fn no_answer_within_the_time_though_the_service_acted() {
    let twice = break_each_request(|fault| fault.hang_after(Duration::from_secs(60)));
    assert_eq!(twice, 4);
}

#[test]
fn an_error_500() {
    assert_eq!(break_each_request(|fault| answer(fault, 500, "oh no")), 0);
}

#[test]
fn an_error_500_though_the_service_acted() {
    let twice = break_each_request(|fault| fault.answer_after(500, "text/plain", "oh no"));
    assert_eq!(twice, 4);
}

#[test]
fn an_error_503_with_retry_after() {
    let twice = break_each_request(|fault| answer(fault, 503, "").header("Retry-After", "0"));
    assert_eq!(twice, 0);
}

#[test]
fn too_many_requests() {
    assert_eq!(break_each_request(|fault| answer(fault, 429, "slowly")), 0);
}

#[test]
fn an_expired_token() {
    assert_eq!(break_each_request(|fault| answer(fault, 401, "")), 0);
}

#[test]
fn a_wrong_request_as_text() {
    assert_eq!(break_each_request(|fault| answer(fault, 400, "no")), 0);
}

#[test]
fn a_wrong_request_as_xml() {
    let twice = break_each_request(|fault| {
        let body = "<web_service_result><errorsExist>true</errorsExist></web_service_result>";
        fault.answer(400, "application/xml", body)
    });
    assert_eq!(twice, 0);
}

#[test]
fn a_success_that_is_html() {
    assert_eq!(break_each_request(|fault| answer(fault, 200, "<p>")), 0);
}

#[test]
fn a_success_that_is_empty() {
    assert_eq!(break_each_request(|fault| answer(fault, 200, "")), 0);
}

#[test]
fn a_success_that_is_null() {
    let twice = break_each_request(|fault| fault.answer(200, "application/json", "null"));
    assert_eq!(twice, 0);
}

#[test]
fn a_success_that_is_a_list_of_nonsense() {
    let twice = break_each_request(|fault| {
        fault.answer(200, "application/json", r#"[1, null, {"a": []}, "x"]"#)
    });
    assert_eq!(twice, 0);
}

#[test]
fn a_redirect_to_another_host() {
    let elsewhere = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = elsewhere.local_addr().expect("its address");
    elsewhere
        .set_nonblocking(true)
        .expect("accepting without waiting");
    let twice = break_each_request(|fault| {
        answer(fault, 302, "").header("Location", &format!("http://{address}/elsewhere"))
    });
    assert_eq!(twice, 0);
    assert!(elsewhere.accept().is_err(), "no redirect was followed");
}

fn answer(fault: Fault, status: u16, body: &str) -> Fault {
    fault.answer(status, "text/html", body)
}

#[test]
fn a_pass_killed_at_any_request_before_the_service_acted() {
    // Another request may be under way when the pass is killed, so that a few may be doubled, and named.
    for_each_kill(true);
}

#[test]
fn a_pass_killed_at_any_request_after_the_service_acted() {
    assert!(for_each_kill(false) >= 4, "each of the four, and named");
}

/// The same loop with the pass killed at each request.
fn for_each_kill(before: bool) -> usize {
    let mut twice = 0;
    for (n, step) in steps_of_a_clean_pass().iter().enumerate() {
        let sandbox = set_up_small_day();
        if before {
            sandbox.fault(step.request().cut_before());
        }
        sandbox.pause(step.request(), before).kill();
        twice += end_well(&sandbox, Vec::new(), &format!("killed at request {n}"));
    }
    twice
}
