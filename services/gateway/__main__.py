"""Start the gateway: ``python -m services.gateway``."""

from libs.chassis.app import run
from services.gateway.app import create_app
from services.gateway.proxy.front import FrontServer
from services.gateway.settings import GatewaySettings

if __name__ == "__main__":
    run(create_app, GatewaySettings, FrontServer)
