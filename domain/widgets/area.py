"""The area of widgets. Their keys are credentials, of the area of accounts."""

from domain.area import Area
from domain.config_keys import config_keys
from domain.widgets.errors import ERRORS
from domain.widgets.settings import WidgetSettings

AREA = Area(name="widgets", errors=ERRORS, configs=config_keys(WidgetSettings, *WidgetSettings.__struct_fields__))
