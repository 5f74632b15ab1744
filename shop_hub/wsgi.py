"""What the web server loads: the application with its background threads, started inside the serving process."""

from shop_hub.core import collector

with collector.resting():
    from shop_hub.app import create_app
    from shop_hub.core import logs, settings
    from shop_hub.runtime import Runtime, die_with_parent

    die_with_parent()
    _settings = settings.load()
    logs.set_up(_settings.log_level)
    app = create_app(_settings)
    Runtime(app).start()
