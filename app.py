"""placeholder: routes, events and schedules"""
from chalice import Chalice
app = Chalice(app_name="panicroom")
