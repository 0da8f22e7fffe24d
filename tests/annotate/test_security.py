"""Attacks on the page's server; SECURITY.md says what each is for."""

from http.client import HTTPConnection
import json

import pytest

JSON = {"content-type": "application/json"}
EDIT = json.dumps(
    {
        "client": "page",
        "edits": [{"key": "1", "user": "", "base": 0, "set": [[0, 0, "placed", 1.0, 2.0]]}],
    }
)
PATHS = ["/", "/static/main.js", "/api/session", "/api/frames", "/api/frames/0", "/api/events"]


def post(client, **headers):
    return client.post("/api/edits", content=EDIT, headers={**JSON, **headers})


@pytest.mark.parametrize("path_", PATHS)
def test_who_does_not_know_the_token_sees_nothing(path, serve, path_):
    with serve(path, let_in=False) as (server, client):
        assert client.get(path_).status_code == 401
        assert client.get("/?token=wrong").status_code == 401
        assert client.get("/?ticket=").status_code == 401
        assert client.get("/?token=").status_code == 401
        name = server._guard._cookie
        for cookie in (f"{name}=wrong", f"{name}=", "=;=", f"skpose={server._guard._token}"):
            assert client.get(path_, headers={"cookie": cookie}).status_code == 401
        body = json.dumps({"token": server._guard._token})
        assert client.post("/api/edits", content=body, headers=JSON).status_code == 401
        assert server.n_edits == 0


def test_the_token_is_not_in_the_address_any_more(path, serve):
    with serve(path, let_in=False) as (server, client):
        answer = client.get(server.url, follow_redirects=False)
        assert answer.status_code == 303
        assert answer.headers["location"] == "./"
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        assert client.get("/").status_code == 200
        token = server._guard._token
        for path_ in ("/", "/api/session", "/api/frames"):
            assert token not in client.get(path_).text


def test_the_link_leads_to_the_one_address_that_is_listened_at(path, serve):
    """Another user could listen at [::1], which browsers try first for "localhost"."""
    with serve(path) as (server, _):
        assert server.url.startswith("http://127.0.0.1:")


def test_a_ticket_lets_in_once(path, serve):
    with serve(path, let_in=False) as (server, client):
        link = server.make_link()
        assert server._guard._token not in link  # the arguments of processes are no secret
        assert client.get(link).status_code == 200
        client.cookies.clear()
        assert client.get(link).status_code == 401


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8765", "localhost.evil.example", "[::1]evil", "localhost:x", ""],
)
def test_names_of_others_are_refused(path, serve, host):
    """As when another site lets its own name lead to this machine (DNS rebinding)."""
    with serve(path) as (_, client):
        assert client.get("/api/session", headers={"host": host}).status_code == 403


def test_a_request_without_a_host_is_refused(path, serve):
    with serve(path) as (server, client):
        connection = HTTPConnection("127.0.0.1", server.port, timeout=20)
        connection.putrequest("GET", "/api/session", skip_host=True)
        connection.putheader("Cookie", "; ".join(f"{k}={v}" for k, v in client.cookies.items()))
        connection.endheaders()
        assert connection.getresponse().status in (400, 403)
        connection.close()


@pytest.mark.parametrize("host", ["localhost:9000", "127.0.0.1:1", "[::1]:8765", "LOCALHOST"])
def test_tunnels_may_have_other_ports(path, serve, host):
    with serve(path) as (_, client):
        assert client.get("/api/session", headers={"host": host}).status_code == 200
        assert post(client, host=host, origin=f"http://{host}").status_code == 200


def test_other_names_can_be_allowed(path, serve):
    with serve(path, allow_hosts=["lab.example"]) as (_, client):
        assert client.get("/api/session", headers={"host": "lab.example"}).status_code == 200
        assert client.get("/api/session", headers={"host": "lab.example:80"}).status_code == 200
        assert client.get("/api/session", headers={"host": "x.lab.example"}).status_code == 403
        assert post(client, origin="https://lab.example").status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://localhost:3000"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "none"},
    ],
)
def test_other_pages_change_nothing(path, serve, headers):
    with serve(path) as (server, client):
        assert post(client, **headers).status_code == 403
        assert server.n_edits == 0
        assert post(client, **{"sec-fetch-site": "same-origin"}).status_code == 200


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_forms_of_other_pages_change_nothing(path, serve, kind):
    with serve(path) as (server, client):
        assert post(client, **{"content-type": kind}).status_code == 415
        assert server.n_edits == 0


def test_every_answer_forbids_what_pages_need_not_do(path, serve):
    with serve(path) as (_, client):
        for answer in (client.get("/"), client.get("/nothing"), post(client, origin="null")):
            policy = answer.headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert "frame-ancestors 'none'" in policy
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["referrer-policy"] == "no-referrer"
            assert answer.headers["cross-origin-resource-policy"] == "same-origin"


def test_a_notebook_may_show_the_page_if_it_is_named(path, serve):
    with serve(path, frame_origin="http://localhost:8888") as (server, client):
        policy = client.get("/").headers["content-security-policy"]
        assert "frame-ancestors http://localhost:8888" in policy
        assert server.url.startswith("http://localhost:")  # of one site with the notebook
        assert f'<iframe src="{server.url}"' in server.iframe()._repr_html_()
    with serve(path) as (server, _), pytest.raises(RuntimeError, match="frame_origin"):
        server.iframe()


@pytest.mark.parametrize("origin", ["*", "http://a b", "http://x; script-src *", "localhost", ""])
def test_what_is_no_origin_may_show_nothing(path, serve, origin):
    with pytest.raises(ValueError, match="frame_origin"), serve(path, frame_origin=origin):
        pass


@pytest.mark.parametrize(
    "name", ["../_server.py", "..%2f_server.py", "%2e%2e/_server.py", "/etc/passwd", "__init__.py"]
)
def test_no_file_can_be_had_by_its_path(path, serve, name):
    with serve(path) as (_, client):
        answer = client.get(f"/static/{name}")
        assert answer.status_code == 404


def test_long_messages_are_cut_off(path, serve):
    with serve(path) as (server, client):
        assert client.post("/api/edits", content=b"x" * 10**7, headers=JSON).status_code == 413
        chunks = (b"x" * 2**16 for _ in range(200))
        assert client.post("/api/edits", content=chunks, headers=JSON).status_code == 413
        assert server.n_edits == 0
        assert post(client).status_code == 200


def test_who_never_reads_holds_nobody_up(path, serve):
    with serve(path) as (server, client):
        cookie = "; ".join(f"{k}={v}" for k, v in client.cookies.items())
        readers = [HTTPConnection("127.0.0.1", server.port, timeout=20) for _ in range(20)]
        for reader in readers:
            reader.request("GET", "/api/events", headers={"Cookie": cookie})
        assert post(client).status_code == 200
        assert client.get("/api/frames").status_code == 200
        for reader in readers:
            reader.close()
