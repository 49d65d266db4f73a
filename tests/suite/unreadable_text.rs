//! Responses with a character or a field that is not valid JSON: only that character or field is lost.

use crate::sandbox::{Booking, Fault, Sandbox, Service, User};
use crate::support::{
    assert_says, good_sync, of_ada, one_person, state_of, sync_needing_attention, with_ada,
};

/// A booking by Ada and one by Bob, whose first name `Odd` some tests spoil.
fn with_a_spoilt_name(service: Service, path: &str, name: &'static str) -> Sandbox {
    let sandbox = with_ada()
        .user(
            User::new("G10000002")
                .barcode("21000002")
                .name("Odd", "Bob"),
        )
        .booking(of_ada("cs_1"))
        .booking(
            Booking::new("cs_2")
                .by("G10000002")
                .person("Odd", "Bob", "bob@example.edu"),
        );
    let fault = Fault::on(service).path(path);
    sandbox.fault(fault.rewrite(move |body| body.replace("Odd", name)));
    sandbox
}

#[test]
fn a_name_that_is_not_valid_json_keeps_nobody_out() {
    for name in ["O\u{1}d", "O\nd", "Od\\ud83d", "Od\\udc00\\ud83d"] {
        let sandbox = with_a_spoilt_name(Service::LibCal, "bookings", name);
        good_sync(&sandbox);
        assert_eq!(sandbox.expected().len(), 2, "{name:?}");
    }
}

#[test]
fn a_control_character_in_a_name_in_alma_keeps_nobody_out() {
    let sandbox = with_a_spoilt_name(Service::Alma, "users", "O\u{1}d");
    good_sync(&sandbox);
    assert_eq!(sandbox.expected().len(), 2);
}

#[test]
fn a_control_character_in_the_response_to_a_pre_registration_leaves_no_doubt() {
    let sandbox = with_ada().booking(of_ada("cs_1"));
    let prereg = Fault::on(Service::PassagePoint).path("createPreReg");
    sandbox.fault(prereg.rewrite(|body| body.replacen('{', "{\"name\":\"O\u{1}d\",", 1)));
    good_sync(&sandbox);
    good_sync(&sandbox);
    assert_eq!(sandbox.expected().len(), 1);
    assert_eq!(state_of(&sandbox, "cs_1"), "registered");
}

#[test]
fn a_field_that_is_not_needed_and_cannot_be_read_keeps_nobody_out() {
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    for value in ["1e999", r#""\ud83d""#, &deep] {
        let sandbox = with_ada().booking(of_ada("cs_1"));
        let field = format!(r#"{{"bookId":"cs_1","eid":{value},"#);
        let list = Fault::on(Service::LibCal).path("bookings");
        sandbox.fault(list.rewrite(move |body| body.replacen('{', &field, 1)));
        good_sync(&sandbox);
        assert_eq!(sandbox.expected().len(), 1, "{value:.20}");
    }
}

#[test]
fn a_row_with_a_field_that_cannot_be_read_is_named_by_its_booking() {
    let sandbox = with_a_spoilt_name(Service::LibCal, "bookings", "Od\\ud83d");
    sandbox.edit_rows("cs_2", |row| row["toDate"] = "soon".into());
    let said = sync_needing_attention(&sandbox);
    assert_says(&said, &["cs_2", "toDate is not a time"]);
    assert_eq!(state_of(&sandbox, "cs_2"), "refused");
}

#[test]
fn a_byte_order_mark_before_a_response_spoils_nothing() {
    let sandbox = one_person();
    sandbox.fault(Fault::any().rewrite(|body| format!("\u{feff}{body}")));
    good_sync(&sandbox);
    good_sync(&sandbox);
    assert_eq!(sandbox.expected().len(), 1);
    assert_eq!(state_of(&sandbox, "cs_1"), "registered");
    let checked = sandbox.run(&["check"]);
    assert_eq!(checked.code, 0, "{checked:#?}");
}
