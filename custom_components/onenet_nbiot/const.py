"""Names of the OneNET NB-IoT integration."""

import logging
from typing import Final

DOMAIN: Final = "onenet_nbiot"
LOGGER: Final = logging.getLogger(__package__)

EVENT_ONENET: Final = "onenet_nbiot_event"

CONF_INTERVAL: Final = "interval"
CONF_REGION: Final = "region"
CONF_SERVER: Final = "server"

# Seconds between two rounds of asking OneNET.
INTERVAL: Final = 60
INTERVAL_MIN: Final = 10
INTERVAL_MAX: Final = 3600

SERVICE_CANCEL_COMMAND: Final = "cancel_command"
SERVICE_CANCEL_COMMANDS: Final = "cancel_commands"
SERVICE_GET_COMMAND: Final = "get_command"
SERVICE_LIST_COMMANDS: Final = "list_commands"
SERVICE_OFFLINE_READ: Final = "offline_read"
SERVICE_WAIT_FOR_COMMAND: Final = "wait_for_command"

ATTR_BIN2HEX: Final = "bin2hex"
ATTR_COMMAND: Final = "command"
ATTR_COMMANDS: Final = "commands"
ATTR_CONFIRM_TIME: Final = "confirm_time"
ATTR_CREATE_TIME: Final = "create_time"
ATTR_EXPIRED_TIME: Final = "expired_time"
ATTR_EXPIRES_IN: Final = "expires_in"
ATTR_FAILED: Final = "failed"
ATTR_IF_WAITING: Final = "if_waiting"
ATTR_IMEI: Final = "imei"
ATTR_INCLUDE_LOG: Final = "include_log"
ATTR_LOG: Final = "log"
ATTR_MESSAGE: Final = "message"
ATTR_OBJ_ID: Final = "obj_id"
ATTR_OBJ_INST_ID: Final = "obj_inst_id"
ATTR_REASON: Final = "reason"
ATTR_REMAIN: Final = "remain"
ATTR_RES_ID: Final = "res_id"
ATTR_RES_INST_ID: Final = "res_inst_id"
ATTR_RETRY: Final = "retry"
ATTR_SEND_TIME: Final = "send_time"
ATTR_SINCE: Final = "since"
ATTR_TIMEOUT: Final = "timeout"
ATTR_TRIGGER_MSG: Final = "trigger_msg"
ATTR_TYPE: Final = "type"
ATTR_UUID: Final = "uuid"
ATTR_VALID_TIME: Final = "valid_time"
ATTR_VALUE: Final = "value"
ATTR_VALUES: Final = "values"
