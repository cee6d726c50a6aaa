"""What values say: the specification's own list for each, and "?" beside it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.dump import dump
from protocol.pdu import PDUS, EnquireLink
from protocol.tlv import INTEGER, OCTET_STRING, TLV_BY_TAG, TLVS, encode_value
from protocol.words import _WORDS, words

NO_WORDS = {
    # identifiers, counters, texts and opaque octets: there is nothing to say about a value
    "additional_status_info_text", "billing_identification", "broadcast_content_type_info",
    "broadcast_rep_num", "broadcast_service_group", "dest_addr_np_country",
    "dest_addr_np_information", "dest_network_id", "dest_node_id", "destination_port",
    "message_payload", "number_of_messages", "receipted_message_id", "sar_msg_ref_num",
    "sar_segment_seqnum", "sar_total_segments", "sms_signal", "source_network_id",
    "source_node_id", "source_port", "user_message_reference", "user_response_code",
}  # fmt: skip


def test_every_tlv_has_words_or_none_to_have() -> None:
    assert set(TLVS) - NO_WORDS == set(TLVS) & set(_WORDS)
    fields = {f.name for cls in PDUS.values() for f in cls.fields}
    assert set(_WORDS) <= fields | set(TLVS)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("source_addr_ton", 5, "alphanumeric"),
        ("source_addr_ton", 7, "?"),
        ("dest_addr_npi", 18, "WAP client id"),
        ("dest_addr_npi", 2, "?"),
        ("service_type", "USSD", "unstructured supplementary services data"),
        ("service_type", "CBS", "cell broadcast service"),
        ("service_type", "OWN", ""),
        ("interface_version", 0x50, "SMPP 5.0"),
        ("esm_class", 0xC3, "store and forward, message, UDHI, reply path"),
        ("esm_class", 0x18, "default mode, conversation abort"),
        ("esm_class", 0x0C, "default mode, ?"),
        ("protocol_id", 0x00, "short message"),
        ("protocol_id", 0x1F, "SME to SME protocol 31"),
        ("protocol_id", 0x32, "Internet e-mail"),
        ("protocol_id", 0x3A, "specific to the message centre"),
        ("protocol_id", 0x40, "short message type 0 (silent)"),
        ("protocol_id", 0x43, "replaces short message type 3"),
        ("protocol_id", 0x49, "?"),
        ("protocol_id", 0xFF, "specific to the message centre"),
        ("priority_flag", 3, "highest"),
        ("priority_flag", 4, "?"),
        ("validity_period", "000002010000000R", "2 days 1 hours"),
        ("validity_period", "000000000000000R", "at once"),
        ("schedule_delivery_time", "260201221504000+", "2026-02-01T22:15:04Z"),
        ("schedule_delivery_time", "260201221504004+", "2026-02-01T21:15:04Z"),
        ("schedule_delivery_time", "²²²²²²²²²²²²²²²R", "?"),
        ("final_date", "", ""),
        ("final_date", "soon", "?"),
        ("registered_delivery", 0x1E, "receipt on failure, SME delivery acknowledgement, "
         "SME user acknowledgement, intermediate notification"),
        ("registered_delivery", 3, "receipt on success"),
        ("replace_if_present_flag", 2, "?"),
        ("data_coding", 0x0D, "extended Kanji JIS (X 0212)"),
        ("data_coding", 0x0B, "UCS-2"),
        ("data_coding", 0x10, "GSM default alphabet, message class 0"),
        ("data_coding", 0x18, "UCS-2, message class 0"),
        ("data_coding", 0x75, "8-bit data, message class 1, compressed, deleted when read"),
        ("data_coding", 0x8F, "?"),
        ("data_coding", 0xC8, "message waiting (discard): voicemail active"),
        ("data_coding", 0xD1, "message waiting (store): fax inactive"),
        ("data_coding", 0xEA, "message waiting (store, UCS-2): e-mail active"),
        ("data_coding", 0xF2, "GSM default alphabet, message class 2"),
        ("data_coding", 0xF8, "?"),
        ("message_state", 9, "SKIPPED"),
        ("dest_addr_subunit", 3, "smart card"),
        ("dest_network_type", 8, "paging network"),
        ("source_network_type", 6, "iDEN"),
        ("source_bearer_type", 8, "cell broadcast"),
        ("dest_bearer_type", 4, "USSD"),
        ("dest_bearer_type", 9, "?"),
        ("dest_telematics_id", 0x24, "voice telephone"),
        ("source_telematics_id", 0x0131, "?"),
        ("qos_time_to_live", 60, "60 seconds"),
        ("payload_type", 1, "WCMP"),
        ("ms_msg_wait_facilities", 0x81, "fax active"),
        ("ms_msg_wait_facilities", 0x02, "e-mail inactive"),
        ("privacy_indicator", 3, "secret"),
        ("source_subaddress", b"\xa0\x01", "user specified"),
        ("dest_subaddress", b"\x88\x01", "NSAP (odd)"),
        ("dest_subaddress", b"", "?"),
        ("language_indicator", 5, "Portuguese"),
        ("callback_num_pres_ind", 0b0110, "restricted; user provided, verified and failed"),
        ("callback_num_pres_ind", 0b1011, "number not available; network provided"),
        ("callback_num_atag", b"\x08\0a", "UCS-2"),
        ("callback_num", b"\x01\x01\x01467", "ASCII digits, international, ISDN (E.163/E.164)"),
        ("callback_num", b"\x00\x02\x08467", "DTMF digits, national, national"),
        ("callback_num", b"\x01", "?"),
        ("dpf_result", 1, "DPF set"),
        ("set_dpf", 1, "DPF requested"),
        ("ms_availability_status", 2, "unavailable"),
        ("network_error_code", b"\x03\x00\x22", "GSM error 34"),
        ("network_error_code", b"\x08\x01\x00", "message centre error 256"),
        ("network_error_code", b"\x09\x00\x01", "? error 1"),
        ("delivery_failure_reason", 3, "temporary network error"),
        ("more_messages_to_send", 1, "yes"),
        ("congestion_state", 0, "idle"),
        ("congestion_state", 29, "low load"),
        ("congestion_state", 30, "medium load"),
        ("congestion_state", 79, "high load"),
        ("congestion_state", 80, "optimum load"),
        ("congestion_state", 99, "nearing congestion"),
        ("congestion_state", 100, "congested"),
        ("congestion_state", 101, "?"),
        ("ussd_service_op", 2, "USSR request"),
        ("ussd_service_op", 19, "USSN confirm"),
        ("ussd_service_op", 4, "?"),
        ("broadcast_channel_indicator", 1, "extended channel"),
        ("broadcast_content_type", b"\x01\x00\x14", "GSM: general news, international"),
        ("broadcast_content_type", b"\x00\x00\x20", "generic: entertainment news, international"),
        ("broadcast_content_type", b"\x03\x00\x33", "CDMA: weather"),
        ("broadcast_content_type", b"\x04\xff\xff", "?: ?"),
        ("broadcast_content_type", b"\x04", "?"),
        ("broadcast_message_class", 3, "class 3 (terminal)"),
        ("broadcast_frequency_interval", b"\x00\x00\x00", "as often as possible"),
        ("broadcast_frequency_interval", b"\x09\x00\x0a", "every 10 minutes"),
        ("broadcast_area_identifier", b"\x02\x01", "polygon"),
        ("broadcast_error_status", 0x0109,
         "ESME_RINVBCASTAREAFMT (broadcast area format is invalid)"),
        ("broadcast_error_status", 0x0999, "?"),
        ("broadcast_area_success", 87, "87 %"),
        ("broadcast_area_success", 255, "not known"),
        ("broadcast_area_success", 101, "?"),
        ("broadcast_end_time", "260201221504000+", "2026-02-01T22:15:04Z"),
        ("dest_addr_np_resolution", 2, "number ported"),
        ("display_time", 2, "invoke"),
        ("ms_validity", 3, "display only"),
        ("ms_validity", 0x0401003C, "relative time: 60 minutes"),
        ("ms_validity", 0x02000000, "until the registration area changes"),
        ("ms_validity", 0x04FF0001, "relative time: 1 ?"),
        ("alert_on_message_delivery", 1, "high priority"),
        ("its_reply_type", 8, "continue"),
        ("its_session_info", b"\x07\x05", "session 7, message 2, end of session"),
        ("message_id", "abc", ""),
    ],
)  # fmt: skip
def test_words(name: str, value: int | str | bytes, said: str) -> None:
    assert words(name, value) == said


def test_they_stand_behind_the_value_in_a_dump() -> None:
    tlvs = (
        (0x0428, b"\x5a"),
        (0x0609, b"260201221504000+\0"),
        (0x0605, b"\x09\x00\x0a"),
        (0x0205, b"\x07"),
        (0x1204, b"\x04\x01\x00\x3c"),
    )
    assert dump(EnquireLink(tlvs=tlvs)).split("\n")[1:] == [
        "  0x0428 congestion_state  90 nearing congestion",
        "  0x0609 broadcast_end_time '260201221504000+' 2026-02-01T22:15:04Z",
        "  0x0605 broadcast_frequency_interval 09000a |...| every 10 minutes",
        "  0x0205 user_response_code 7",
        "  0x1204 ms_validity       67174460 relative time: 60 minutes",
    ]


@given(st.sampled_from(sorted(TLV_BY_TAG)), st.data())
def test_any_value_of_a_tlv_can_be_dumped(tag: int, data: st.DataObject) -> None:
    kind = TLV_BY_TAG[tag].kind
    if kind == INTEGER:
        octets = encode_value(tag, data.draw(st.integers(0, 256 ** TLV_BY_TAG[tag].shortest - 1)))
    else:
        octets = data.draw(st.binary(max_size=30))
    for masked in (False, True):
        text = dump(EnquireLink(tlvs=((tag, octets),)), masked)
        assert TLV_BY_TAG[tag].name in text
        if masked and kind == OCTET_STRING and len(octets) > 3:
            assert octets.hex() not in text
