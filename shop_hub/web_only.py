"""What the web server loads on PostgreSQL sites with separate workers: web and live events, no device threads."""

import threading

from shop_hub.core import collector

with collector.resting():
    from shop_hub.app import create_app
    from shop_hub.core import logs, settings
    from shop_hub.runtime import die_with_parent, listen_for_events

    die_with_parent()
    _settings = settings.load()
    logs.set_up(_settings.log_level)
    app = create_app(_settings)
threading.Thread(target=listen_for_events, args=(_settings.database, threading.Event()), daemon=True).start()
