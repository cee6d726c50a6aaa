"""The numbers of SMPP 3.4 and 5.0 under the names the specification gives them.

Plain ints, not enums: building an IntEnum member costs 330 ns on the hot path and would lose the
values the specification does not know, which have to survive. Clause numbers are those of SMPP
v3.4 issue 1.2 unless 5.0 is named.
"""

from typing import Final

HEADER_LENGTH: Final = 16
# SMPP sets no limit; 64 KiB holds any 3.4 PDU except a message_payload of exactly 65,535 octets
# and is what peers use too. A longer command_length is a stream out of step or a hostile peer.
MAX_PDU: Final = 65536
MIN_SEQUENCE: Final = 0x00000001
MAX_SEQUENCE: Final = 0x7FFFFFFF  # §5.1.4

INTERFACE_VERSION_33: Final = 0x33
INTERFACE_VERSION_34: Final = 0x34
INTERFACE_VERSION_50: Final = 0x50

# command_id, §5.1.2.1 and 5.0 §4.7.5
RESPONSE_BIT: Final = 0x80000000
GENERIC_NACK: Final = 0x80000000
BIND_RECEIVER: Final = 0x00000001
BIND_RECEIVER_RESP: Final = 0x80000001
BIND_TRANSMITTER: Final = 0x00000002
BIND_TRANSMITTER_RESP: Final = 0x80000002
QUERY_SM: Final = 0x00000003
QUERY_SM_RESP: Final = 0x80000003
SUBMIT_SM: Final = 0x00000004
SUBMIT_SM_RESP: Final = 0x80000004
DELIVER_SM: Final = 0x00000005
DELIVER_SM_RESP: Final = 0x80000005
UNBIND: Final = 0x00000006
UNBIND_RESP: Final = 0x80000006
REPLACE_SM: Final = 0x00000007
REPLACE_SM_RESP: Final = 0x80000007
CANCEL_SM: Final = 0x00000008
CANCEL_SM_RESP: Final = 0x80000008
BIND_TRANSCEIVER: Final = 0x00000009
BIND_TRANSCEIVER_RESP: Final = 0x80000009
OUTBIND: Final = 0x0000000B
ENQUIRE_LINK: Final = 0x00000015
ENQUIRE_LINK_RESP: Final = 0x80000015
SUBMIT_MULTI: Final = 0x00000021
SUBMIT_MULTI_RESP: Final = 0x80000021
ALERT_NOTIFICATION: Final = 0x00000102
DATA_SM: Final = 0x00000103
DATA_SM_RESP: Final = 0x80000103
BROADCAST_SM: Final = 0x00000111
BROADCAST_SM_RESP: Final = 0x80000111
QUERY_BROADCAST_SM: Final = 0x00000112
QUERY_BROADCAST_SM_RESP: Final = 0x80000112
CANCEL_BROADCAST_SM: Final = 0x00000113
CANCEL_BROADCAST_SM_RESP: Final = 0x80000113

COMMAND_NAME: Final[dict[int, str]] = {
    GENERIC_NACK: "generic_nack",
    BIND_RECEIVER: "bind_receiver",
    BIND_RECEIVER_RESP: "bind_receiver_resp",
    BIND_TRANSMITTER: "bind_transmitter",
    BIND_TRANSMITTER_RESP: "bind_transmitter_resp",
    QUERY_SM: "query_sm",
    QUERY_SM_RESP: "query_sm_resp",
    SUBMIT_SM: "submit_sm",
    SUBMIT_SM_RESP: "submit_sm_resp",
    DELIVER_SM: "deliver_sm",
    DELIVER_SM_RESP: "deliver_sm_resp",
    UNBIND: "unbind",
    UNBIND_RESP: "unbind_resp",
    REPLACE_SM: "replace_sm",
    REPLACE_SM_RESP: "replace_sm_resp",
    CANCEL_SM: "cancel_sm",
    CANCEL_SM_RESP: "cancel_sm_resp",
    BIND_TRANSCEIVER: "bind_transceiver",
    BIND_TRANSCEIVER_RESP: "bind_transceiver_resp",
    OUTBIND: "outbind",
    ENQUIRE_LINK: "enquire_link",
    ENQUIRE_LINK_RESP: "enquire_link_resp",
    SUBMIT_MULTI: "submit_multi",
    SUBMIT_MULTI_RESP: "submit_multi_resp",
    ALERT_NOTIFICATION: "alert_notification",
    DATA_SM: "data_sm",
    DATA_SM_RESP: "data_sm_resp",
    BROADCAST_SM: "broadcast_sm",
    BROADCAST_SM_RESP: "broadcast_sm_resp",
    QUERY_BROADCAST_SM: "query_broadcast_sm",
    QUERY_BROADCAST_SM_RESP: "query_broadcast_sm_resp",
    CANCEL_BROADCAST_SM: "cancel_broadcast_sm",
    CANCEL_BROADCAST_SM_RESP: "cancel_broadcast_sm_resp",
}

# command_status, §5.1.3 and 5.0 §4.7.6
ESME_ROK: Final = 0x00000000
ESME_RINVMSGLEN: Final = 0x00000001
ESME_RINVCMDLEN: Final = 0x00000002
ESME_RINVCMDID: Final = 0x00000003
ESME_RINVBNDSTS: Final = 0x00000004
ESME_RALYBND: Final = 0x00000005
ESME_RINVPRTFLG: Final = 0x00000006
ESME_RINVREGDLVFLG: Final = 0x00000007
ESME_RSYSERR: Final = 0x00000008
ESME_RINVSRCADR: Final = 0x0000000A
ESME_RINVDSTADR: Final = 0x0000000B
ESME_RINVMSGID: Final = 0x0000000C
ESME_RBINDFAIL: Final = 0x0000000D
ESME_RINVPASWD: Final = 0x0000000E
ESME_RINVSYSID: Final = 0x0000000F
ESME_RCANCELFAIL: Final = 0x00000011
ESME_RREPLACEFAIL: Final = 0x00000013
ESME_RMSGQFUL: Final = 0x00000014
ESME_RINVSERTYP: Final = 0x00000015
ESME_RINVNUMDESTS: Final = 0x00000033
ESME_RINVDLNAME: Final = 0x00000034
ESME_RINVDESTFLAG: Final = 0x00000040
ESME_RINVSUBREP: Final = 0x00000042
ESME_RINVESMCLASS: Final = 0x00000043
ESME_RCNTSUBDL: Final = 0x00000044
ESME_RSUBMITFAIL: Final = 0x00000045
ESME_RINVSRCTON: Final = 0x00000048
ESME_RINVSRCNPI: Final = 0x00000049
ESME_RINVDSTTON: Final = 0x00000050
ESME_RINVDSTNPI: Final = 0x00000051
ESME_RINVSYSTYP: Final = 0x00000053
ESME_RINVREPFLAG: Final = 0x00000054
ESME_RINVNUMMSGS: Final = 0x00000055
ESME_RTHROTTLED: Final = 0x00000058
ESME_RINVSCHED: Final = 0x00000061
ESME_RINVEXPIRY: Final = 0x00000062
ESME_RINVDFTMSGID: Final = 0x00000063
ESME_RX_T_APPN: Final = 0x00000064
ESME_RX_P_APPN: Final = 0x00000065
ESME_RX_R_APPN: Final = 0x00000066
ESME_RQUERYFAIL: Final = 0x00000067
ESME_RINVTLVSTREAM: Final = 0x000000C0  # ESME_RINVOPTPARSTREAM in 3.4
ESME_RTLVNOTALLWD: Final = 0x000000C1  # ESME_ROPTPARNOTALLWD in 3.4
ESME_RINVTLVLEN: Final = 0x000000C2  # ESME_RINVPARLEN in 3.4
ESME_RMISSINGTLV: Final = 0x000000C3  # ESME_RMISSINGOPTPARAM in 3.4
ESME_RINVTLVVAL: Final = 0x000000C4  # ESME_RINVOPTPARAMVAL in 3.4
ESME_RDELIVERYFAILURE: Final = 0x000000FE
ESME_RUNKNOWNERR: Final = 0x000000FF
ESME_RSERTYPUNAUTH: Final = 0x00000100  # from here on 5.0 only
ESME_RPROHIBITED: Final = 0x00000101
ESME_RSERTYPUNAVAIL: Final = 0x00000102
ESME_RSERTYPDENIED: Final = 0x00000103
ESME_RINVDCS: Final = 0x00000104
ESME_RINVSRCADDRSUBUNIT: Final = 0x00000105
ESME_RINVDSTADDRSUBUNIT: Final = 0x00000106
ESME_RINVBCASTFREQINT: Final = 0x00000107
ESME_RINVBCASTALIAS_NAME: Final = 0x00000108
ESME_RINVBCASTAREAFMT: Final = 0x00000109
ESME_RINVNUMBCAST_AREAS: Final = 0x0000010A
ESME_RINVBCASTCNTTYPE: Final = 0x0000010B
ESME_RINVBCASTMSGCLASS: Final = 0x0000010C
ESME_RBCASTFAIL: Final = 0x0000010D
ESME_RBCASTQUERYFAIL: Final = 0x0000010E
ESME_RBCASTCANCELFAIL: Final = 0x0000010F
ESME_RINVBCAST_REP: Final = 0x00000110
ESME_RINVBCASTSRVGRP: Final = 0x00000111
ESME_RINVBCASTCHANIND: Final = 0x00000112

COMMAND_STATUS: Final[dict[int, tuple[str, str]]] = {
    ESME_ROK: ("ESME_ROK", "no error"),
    ESME_RINVMSGLEN: ("ESME_RINVMSGLEN", "message length is invalid"),
    ESME_RINVCMDLEN: ("ESME_RINVCMDLEN", "command length is invalid"),
    ESME_RINVCMDID: ("ESME_RINVCMDID", "command id is invalid"),
    ESME_RINVBNDSTS: ("ESME_RINVBNDSTS", "incorrect bind status for this command"),
    ESME_RALYBND: ("ESME_RALYBND", "already bound"),
    ESME_RINVPRTFLG: ("ESME_RINVPRTFLG", "priority flag is invalid"),
    ESME_RINVREGDLVFLG: ("ESME_RINVREGDLVFLG", "registered delivery flag is invalid"),
    ESME_RSYSERR: ("ESME_RSYSERR", "system error"),
    ESME_RINVSRCADR: ("ESME_RINVSRCADR", "source address is invalid"),
    ESME_RINVDSTADR: ("ESME_RINVDSTADR", "destination address is invalid"),
    ESME_RINVMSGID: ("ESME_RINVMSGID", "message id is invalid"),
    ESME_RBINDFAIL: ("ESME_RBINDFAIL", "bind failed"),
    ESME_RINVPASWD: ("ESME_RINVPASWD", "password is invalid"),
    ESME_RINVSYSID: ("ESME_RINVSYSID", "system id is invalid"),
    ESME_RCANCELFAIL: ("ESME_RCANCELFAIL", "cancel_sm failed"),
    ESME_RREPLACEFAIL: ("ESME_RREPLACEFAIL", "replace_sm failed"),
    ESME_RMSGQFUL: ("ESME_RMSGQFUL", "message queue is full"),
    ESME_RINVSERTYP: ("ESME_RINVSERTYP", "service type is invalid"),
    ESME_RINVNUMDESTS: ("ESME_RINVNUMDESTS", "number of destinations is invalid"),
    ESME_RINVDLNAME: ("ESME_RINVDLNAME", "distribution list name is invalid"),
    ESME_RINVDESTFLAG: ("ESME_RINVDESTFLAG", "destination flag is invalid"),
    ESME_RINVSUBREP: ("ESME_RINVSUBREP", "submit with replace is not supported or not allowed"),
    ESME_RINVESMCLASS: ("ESME_RINVESMCLASS", "esm_class is invalid"),
    ESME_RCNTSUBDL: ("ESME_RCNTSUBDL", "cannot submit to the distribution list"),
    ESME_RSUBMITFAIL: ("ESME_RSUBMITFAIL", "submit failed"),
    ESME_RINVSRCTON: ("ESME_RINVSRCTON", "source address TON is invalid"),
    ESME_RINVSRCNPI: ("ESME_RINVSRCNPI", "source address NPI is invalid"),
    ESME_RINVDSTTON: ("ESME_RINVDSTTON", "destination address TON is invalid"),
    ESME_RINVDSTNPI: ("ESME_RINVDSTNPI", "destination address NPI is invalid"),
    ESME_RINVSYSTYP: ("ESME_RINVSYSTYP", "system type is invalid"),
    ESME_RINVREPFLAG: ("ESME_RINVREPFLAG", "replace_if_present flag is invalid"),
    ESME_RINVNUMMSGS: ("ESME_RINVNUMMSGS", "number of messages is invalid"),
    ESME_RTHROTTLED: ("ESME_RTHROTTLED", "throttled: the allowed message rate is exceeded"),
    ESME_RINVSCHED: ("ESME_RINVSCHED", "scheduled delivery time is invalid"),
    ESME_RINVEXPIRY: ("ESME_RINVEXPIRY", "validity period is invalid"),
    ESME_RINVDFTMSGID: ("ESME_RINVDFTMSGID", "predefined message is invalid or not found"),
    ESME_RX_T_APPN: ("ESME_RX_T_APPN", "receiver: temporary application error"),
    ESME_RX_P_APPN: ("ESME_RX_P_APPN", "receiver: permanent application error"),
    ESME_RX_R_APPN: ("ESME_RX_R_APPN", "receiver: message rejected"),
    ESME_RQUERYFAIL: ("ESME_RQUERYFAIL", "query_sm failed"),
    ESME_RINVTLVSTREAM: ("ESME_RINVTLVSTREAM", "the optional part of the PDU body is in error"),
    ESME_RTLVNOTALLWD: ("ESME_RTLVNOTALLWD", "TLV is not allowed"),
    ESME_RINVTLVLEN: ("ESME_RINVTLVLEN", "parameter length is invalid"),
    ESME_RMISSINGTLV: ("ESME_RMISSINGTLV", "an expected TLV is missing"),
    ESME_RINVTLVVAL: ("ESME_RINVTLVVAL", "TLV value is invalid"),
    ESME_RDELIVERYFAILURE: ("ESME_RDELIVERYFAILURE", "transaction delivery failure"),
    ESME_RUNKNOWNERR: ("ESME_RUNKNOWNERR", "unknown error"),
    ESME_RSERTYPUNAUTH: ("ESME_RSERTYPUNAUTH", "not authorised to use this service type"),
    ESME_RPROHIBITED: ("ESME_RPROHIBITED", "prohibited from this operation"),
    ESME_RSERTYPUNAVAIL: ("ESME_RSERTYPUNAVAIL", "service type is unavailable"),
    ESME_RSERTYPDENIED: ("ESME_RSERTYPDENIED", "service type is denied"),
    ESME_RINVDCS: ("ESME_RINVDCS", "data coding scheme is invalid"),
    ESME_RINVSRCADDRSUBUNIT: ("ESME_RINVSRCADDRSUBUNIT", "source address subunit is invalid"),
    ESME_RINVDSTADDRSUBUNIT: ("ESME_RINVDSTADDRSUBUNIT", "destination subunit is invalid"),
    ESME_RINVBCASTFREQINT: ("ESME_RINVBCASTFREQINT", "broadcast frequency interval is invalid"),
    ESME_RINVBCASTALIAS_NAME: ("ESME_RINVBCASTALIAS_NAME", "broadcast alias name is invalid"),
    ESME_RINVBCASTAREAFMT: ("ESME_RINVBCASTAREAFMT", "broadcast area format is invalid"),
    ESME_RINVNUMBCAST_AREAS: ("ESME_RINVNUMBCAST_AREAS", "number of broadcast areas is invalid"),
    ESME_RINVBCASTCNTTYPE: ("ESME_RINVBCASTCNTTYPE", "broadcast content type is invalid"),
    ESME_RINVBCASTMSGCLASS: ("ESME_RINVBCASTMSGCLASS", "broadcast message class is invalid"),
    ESME_RBCASTFAIL: ("ESME_RBCASTFAIL", "broadcast_sm failed"),
    ESME_RBCASTQUERYFAIL: ("ESME_RBCASTQUERYFAIL", "query_broadcast_sm failed"),
    ESME_RBCASTCANCELFAIL: ("ESME_RBCASTCANCELFAIL", "cancel_broadcast_sm failed"),
    ESME_RINVBCAST_REP: ("ESME_RINVBCAST_REP", "number of repeated broadcasts is invalid"),
    ESME_RINVBCASTSRVGRP: ("ESME_RINVBCASTSRVGRP", "broadcast service group is invalid"),
    ESME_RINVBCASTCHANIND: ("ESME_RINVBCASTCHANIND", "broadcast channel indicator is invalid"),
}

# esm_class, §5.2.12
ESM_CLASS_MODE_MASK: Final = 0x03
ESM_CLASS_DEFAULT: Final = 0x00
ESM_CLASS_DATAGRAM: Final = 0x01
ESM_CLASS_FORWARD: Final = 0x02
ESM_CLASS_STORE_AND_FORWARD: Final = 0x03
ESM_CLASS_TYPE_MASK: Final = 0x3C
ESM_CLASS_DELIVERY_RECEIPT: Final = 0x04
ESM_CLASS_DELIVERY_ACKNOWLEDGEMENT: Final = 0x08
ESM_CLASS_USER_ACKNOWLEDGEMENT: Final = 0x10
ESM_CLASS_CONVERSATION_ABORT: Final = 0x18
ESM_CLASS_INTERMEDIATE_NOTIFICATION: Final = 0x20
ESM_CLASS_UDHI: Final = 0x40
ESM_CLASS_REPLY_PATH: Final = 0x80

# registered_delivery, §5.2.17
REGISTERED_DELIVERY_NONE: Final = 0x00
REGISTERED_DELIVERY_FINAL: Final = 0x01
REGISTERED_DELIVERY_FAILURE: Final = 0x02
REGISTERED_DELIVERY_SUCCESS: Final = 0x03  # 5.0 only
REGISTERED_DELIVERY_MASK: Final = 0x03
REGISTERED_DELIVERY_SME_ACK: Final = 0x04
REGISTERED_DELIVERY_USER_ACK: Final = 0x08
REGISTERED_DELIVERY_INTERMEDIATE: Final = 0x10

# data_coding, §5.2.19
DATA_CODING_DEFAULT: Final = 0x00
DATA_CODING_IA5: Final = 0x01
DATA_CODING_BINARY_ALIAS: Final = 0x02
DATA_CODING_LATIN1: Final = 0x03
DATA_CODING_BINARY: Final = 0x04
DATA_CODING_JIS: Final = 0x05
DATA_CODING_CYRILLIC: Final = 0x06
DATA_CODING_LATIN_HEBREW: Final = 0x07
DATA_CODING_UCS2: Final = 0x08
DATA_CODING_PICTOGRAM: Final = 0x09
DATA_CODING_ISO2022JP: Final = 0x0A
DATA_CODING_EXTENDED_KANJI: Final = 0x0D
DATA_CODING_KS_C_5601: Final = 0x0E

# addr_ton, §5.2.5
TON_UNKNOWN: Final = 0
TON_INTERNATIONAL: Final = 1
TON_NATIONAL: Final = 2
TON_NETWORK_SPECIFIC: Final = 3
TON_SUBSCRIBER_NUMBER: Final = 4
TON_ALPHANUMERIC: Final = 5
TON_ABBREVIATED: Final = 6

# addr_npi, §5.2.6
NPI_UNKNOWN: Final = 0
NPI_ISDN: Final = 1
NPI_DATA: Final = 3
NPI_TELEX: Final = 4
NPI_LAND_MOBILE: Final = 6
NPI_NATIONAL: Final = 8
NPI_PRIVATE: Final = 9
NPI_ERMES: Final = 10
NPI_INTERNET: Final = 14
NPI_WAP: Final = 18

# message_state, §5.2.28; 0 and 9 are 5.0 (§4.7.15)
MESSAGE_STATE_SCHEDULED: Final = 0
MESSAGE_STATE_ENROUTE: Final = 1
MESSAGE_STATE_DELIVERED: Final = 2
MESSAGE_STATE_EXPIRED: Final = 3
MESSAGE_STATE_DELETED: Final = 4
MESSAGE_STATE_UNDELIVERABLE: Final = 5
MESSAGE_STATE_ACCEPTED: Final = 6
MESSAGE_STATE_UNKNOWN: Final = 7
MESSAGE_STATE_REJECTED: Final = 8
MESSAGE_STATE_SKIPPED: Final = 9

# dest_flag of submit_multi, §5.2.25
DEST_FLAG_SME_ADDRESS: Final = 1
DEST_FLAG_DISTRIBUTION_LIST: Final = 2


def command_name(command_id: int) -> str:
    """The specification's name of a command, or its number in hex."""
    return COMMAND_NAME.get(command_id) or f"command 0x{command_id:08X}"


def status_name(command_status: int) -> str:
    """The specification's name of a status, or its number in hex."""
    known = COMMAND_STATUS.get(command_status)
    return known[0] if known else f"0x{command_status:08X}"
