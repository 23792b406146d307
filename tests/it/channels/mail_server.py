"""A mail server for tests: STARTTLS and sign-in are required. Mails are written to a folder, one file
each, headers and body as they came, preceded by the envelope. The recipient's name says how it
behaves: `drop` hangs up after the mail, `later` answers 451, `never` 550, others take it.

Arguments: folder, certificate, key, password. Prints the port it listens on.
"""

import asyncio
import pathlib
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

folder, certificate, key, password = sys.argv[1:]
tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
tls.load_cert_chain(certificate, key)
n_taken = 0


def sign_in(server, session, envelope, mechanism, data):
    ok = isinstance(data, LoginPassword) and data.password.decode() == password
    return AuthResult(success=ok, handled=False)


class Mails:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("later@"):
            return "451 4.7.1 come back later"
        if address.startswith("never@"):
            return "550 5.1.1 nobody of that name"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        global n_taken
        n_taken += 1
        head = f"MAIL FROM {envelope.mail_from}\nRCPT TO {','.join(envelope.rcpt_tos)}\n"
        path = pathlib.Path(folder) / f"{n_taken:03}.eml"
        path.write_bytes(head.encode() + envelope.original_content)
        if any(address.startswith("drop@") for address in envelope.rcpt_tos):
            server.transport.abort()
        return "250 OK"


async def serve():
    def session():
        return SMTP(Mails(), require_starttls=True, tls_context=tls, auth_required=True, authenticator=sign_in)

    server = await asyncio.get_running_loop().create_server(session, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(serve())
