"""An authorization server of django-oauth-toolkit with two users. The environment has FOLDER, SECRET and two redirect URIs."""

import os
import sys
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import django
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application


class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class Handler(WSGIRequestHandler):
    def log_message(self, form, *args):
        print(form % args, file=sys.stderr, flush=True)


def seed() -> None:
    from django.contrib.auth.models import User
    from oauth2_provider.models import Application

    call_command("migrate", verbosity=0)
    for name in ("alice", "bob"):
        User.objects.create_user(name, f"{name}@example.com", f"password of {name}", is_staff=True)

    def add(client_id: str, kind: str, grant: str, **members) -> None:
        Application.objects.create(
            name=client_id, client_id=client_id, client_type=kind, authorization_grant_type=grant, **members
        )

    secret = os.environ["SECRET"]
    code = {"grant": "authorization-code", "algorithm": "RS256"}
    add("proxy", "confidential", **code, client_secret=secret, redirect_uris=os.environ["BROKER_REDIRECT_URI"])
    add("client", "public", **code, redirect_uris=os.environ["CLIENT_REDIRECT_URI"])
    add("resource-server", "confidential", "client-credentials", client_secret=secret)


if __name__ == "__main__":
    os.environ["DJANGO_SETTINGS_MODULE"] = "identity.settings"
    django.setup()
    seed()
    with make_server("127.0.0.1", 0, get_wsgi_application(), Server, Handler) as server:
        print(f"running on http://127.0.0.1:{server.server_port}", flush=True)
        server.serve_forever()
