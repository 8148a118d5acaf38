"""Names of the OneNET NB-IoT integration."""

from typing import Final

DOMAIN: Final = "onenet_nbiot"

EVENT_ONENET: Final = "onenet_nbiot_event"

CONF_SERVER: Final = "server"
CONF_REGION: Final = "region"

SERVICE_OFFLINE_READ: Final = "offline_read"

ATTR_BIN2HEX: Final = "bin2hex"
ATTR_COMMAND: Final = "command"
ATTR_EXPIRED_TIME: Final = "expired_time"
ATTR_EXPIRES_IN: Final = "expires_in"
ATTR_IMEI: Final = "imei"
ATTR_MESSAGE: Final = "message"
ATTR_OBJ_ID: Final = "obj_id"
ATTR_OBJ_INST_ID: Final = "obj_inst_id"
ATTR_REASON: Final = "reason"
ATTR_RES_ID: Final = "res_id"
ATTR_RETRY: Final = "retry"
ATTR_TIMEOUT: Final = "timeout"
ATTR_TRIGGER_MSG: Final = "trigger_msg"
ATTR_TYPE: Final = "type"
ATTR_UUID: Final = "uuid"
ATTR_VALID_TIME: Final = "valid_time"
