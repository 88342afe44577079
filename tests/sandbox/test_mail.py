"""The mail sink keeps every mail, shows it safely, and fails when told to."""

import smtplib
import subprocess
import sys
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
import requests

_SECONDS = 10


class MailProcess:
    """`python -m sandbox.mail` on free ports, with its mails in `directory`."""

    def __init__(self, directory: Path) -> None:
        command = [sys.executable, "-m", "sandbox.mail", "--smtp-port=0", "--http-port=0"]
        self._process = subprocess.Popen(
            [*command, f"--directory={directory}"], stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout
        words = self._process.stdout.readline().split()
        self.url = words[-1]
        self.smtp_port = int(words[3].rpartition(":")[2])

    def send(self, to: str = "guest@example.com", **parts: str) -> None:
        with smtplib.SMTP("127.0.0.1", self.smtp_port, timeout=_SECONDS) as client:
            client.send_message(_mail(to, **parts))

    def get(self, path: str, **options: Any) -> requests.Response:
        return requests.get(f"{self.url}{path}", timeout=_SECONDS, **options)

    def messages(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.get("/messages").json()
        return found

    def fail(self, **fault: Any) -> requests.Response:
        return requests.post(f"{self.url}/_control/faults", json=fault, timeout=_SECONDS)

    def delete(self, path: str) -> int:
        return requests.delete(f"{self.url}{path}", timeout=_SECONDS).status_code

    def stop(self) -> int:
        self._process.terminate()
        self._process.communicate(timeout=_SECONDS)
        return self._process.returncode

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate(timeout=_SECONDS)


def _mail(to: str, subject: str = "Thank you", text: str = "Paid.", html: str = "") -> EmailMessage:
    mail = EmailMessage()
    mail["From"] = "The Shop <shop@orders.example>"
    mail["To"] = to
    mail["Subject"] = subject
    mail["Message-ID"] = "<order-1@orders.example>"
    mail.set_content(text)
    if html:
        mail.add_alternative(html, subtype="html")
    return mail


@pytest.fixture(scope="module")
def running_sink(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MailProcess]:
    process = MailProcess(tmp_path_factory.mktemp("mail"))
    yield process
    process.stop()


@pytest.fixture
def sink(running_sink: MailProcess) -> MailProcess:
    running_sink.delete("/_control/faults")
    running_sink.delete("/messages")
    return running_sink


def test_a_mail_is_read_as_it_was_sent(sink: MailProcess) -> None:
    sink.send(subject="Bestätigung", text="Größe 7", html="<p>Größe 7</p>")

    [mail] = sink.messages()

    assert mail["to"] == "guest@example.com"
    assert mail["sender"] == "shop@orders.example"
    assert mail["subject"] == "Bestätigung"
    assert mail["message_id"] == "<order-1@orders.example>"
    assert mail["text"].strip() == "Größe 7"
    assert mail["html"].strip() == "<p>Größe 7</p>"
    assert mail["received_at"].endswith("+00:00")


def test_each_recipient_gets_a_copy(sink: MailProcess) -> None:
    sink.send("one@example.com, two@example.com")
    assert [mail["to"] for mail in sink.messages()] == ["one@example.com", "two@example.com"]


def test_one_connection_carries_many_mails(sink: MailProcess) -> None:
    with smtplib.SMTP("127.0.0.1", sink.smtp_port, timeout=_SECONDS) as client:
        for _ in range(50):
            client.send_message(_mail("guest@example.com"))
    assert len(sink.messages()) == 50


def test_a_killed_sink_forgets_nothing(tmp_path: Path) -> None:
    first = MailProcess(tmp_path)
    first.send("before@example.com")
    first.kill()

    second = MailProcess(tmp_path)
    second.send("after@example.com")

    assert [mail["to"] for mail in second.messages()] == ["before@example.com", "after@example.com"]
    assert second.stop() == 0


def test_deleted_mails_stay_deleted(tmp_path: Path) -> None:
    process = MailProcess(tmp_path)
    process.send()
    assert process.delete("/messages") == 204
    assert process.messages() == []
    process.stop()
    assert not list(tmp_path.iterdir())


def test_the_page_escapes_what_a_mail_says(sink: MailProcess) -> None:
    sink.send(subject="<script>alert(1)</script>", text="<script>alert(2)</script>")
    [mail] = sink.messages()
    for path in ("/", f"/messages/{mail['number']}"):
        page = sink.get(path).text
        assert "<script" not in page
        assert "&lt;script&gt;alert(1)" in page


def test_the_preview_can_neither_run_nor_load_anything(sink: MailProcess) -> None:
    sink.send(html="<script>alert(1)</script>")
    [mail] = sink.messages()

    preview = sink.get(f"/messages/{mail['number']}/html")

    directives = preview.headers["Content-Security-Policy"].split("; ")
    assert "sandbox" in directives
    assert "default-src 'none'" in directives
    assert not any(directive.startswith("script-src") for directive in directives)
    assert preview.text.strip() == "<script>alert(1)</script>"


def test_the_pages_load_nothing_from_outside(sink: MailProcess) -> None:
    sink.send(html="<p>Paid.</p>")
    [mail] = sink.messages()
    for path in ("/", f"/messages/{mail['number']}"):
        answer = sink.get(path)
        assert "http://" not in answer.text
        assert "https://" not in answer.text
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


def test_a_mail_that_is_not_there_is_not_found(sink: MailProcess) -> None:
    assert sink.get("/messages/999999").status_code == 404
    assert sink.get("/messages/999999/html").status_code == 404


def test_another_name_for_this_machine_leads_nowhere(sink: MailProcess) -> None:
    assert sink.get("/messages", headers={"Host": "rebound.example"}).status_code == 400


def test_refused_connections_are_refused_until_cleared(sink: MailProcess) -> None:
    sink.fail(kind="refuse")
    with pytest.raises(ConnectionRefusedError):
        sink.send()
    assert sink.delete("/_control/faults") == 204
    sink.send()
    assert len(sink.messages()) == 1


def test_rejected_content_is_not_kept(sink: MailProcess) -> None:
    sink.fail(kind="reject_data", times=1)
    with pytest.raises(smtplib.SMTPDataError) as error:
        sink.send()
    assert error.value.smtp_code == 451
    assert sink.messages() == []
    sink.send()
    assert len(sink.messages()) == 1


def test_one_recipient_can_be_rejected(sink: MailProcess) -> None:
    sink.fail(kind="reject_recipient", address="gone@example.com")
    with pytest.raises(smtplib.SMTPRecipientsRefused) as error:
        sink.send("gone@example.com")
    assert error.value.recipients["gone@example.com"][0] == 550
    sink.send("here@example.com")
    assert [mail["to"] for mail in sink.messages()] == ["here@example.com"]


def test_a_cut_line_leaves_the_mail_kept_and_the_sender_in_doubt(sink: MailProcess) -> None:
    sink.fail(kind="cut_after_data", times=1)
    with pytest.raises(smtplib.SMTPServerDisconnected):
        sink.send()
    assert len(sink.messages()) == 1


def test_a_delayed_answer_outlasts_an_impatient_sender(sink: MailProcess) -> None:
    sink.fail(kind="delay", seconds=30, times=1)
    with smtplib.SMTP("127.0.0.1", sink.smtp_port, timeout=_SECONDS) as client:
        client.ehlo()
        client.mail("shop@orders.example")
        client.rcpt("guest@example.com")
        assert client.sock
        client.sock.settimeout(1)
        with pytest.raises(smtplib.SMTPServerDisconnected, match="timed out"):
            client.data(_mail("guest@example.com").as_bytes())
    assert sink.messages() == []
    sink.send()
    assert len(sink.messages()) == 1


def test_faults_in_force_are_listed_and_shown(sink: MailProcess) -> None:
    assert sink.fail(kind="delay", seconds=1).status_code == 201
    [fault] = sink.get("/_control/faults").json()
    assert fault == {"kind": "delay", "times": None, "address": None, "seconds": 1}
    assert "delay" in sink.get("/").text


@pytest.mark.parametrize(
    "fault",
    [{}, {"kind": "explode"}, {"kind": "delay", "seconds": "long"}, {"kind": "delay", "n": 1}],
)
def test_an_unknown_fault_is_refused(sink: MailProcess, fault: dict[str, Any]) -> None:
    assert sink.fail(**fault).status_code == 400
    assert sink.get("/_control/faults").json() == []
