"""Python imports this when it starts: nothing it runs then reaches another machine.

A folder of its own, so that only processes with it in PYTHONPATH are guarded, and those
that they start. Each attempt raises, and is noted in the file that TOUCHED names, since
who attempts it may catch what is raised.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import sys

NAMES = ('connect', 'sendto', 'sendmsg', 'getaddrinfo', 'gethostbyname')
EVENTS = {f'socket.{name}' for name in (*NAMES, 'gethostbyaddr', 'getnameinfo')}


def is_local(host: str) -> bool:
    """Whether a name or an address is that of this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == 'localhost'


def refuse_network(event: str, args: tuple) -> None:
    """Let through what stays on this machine, as between processes that load data."""
    if event not in EVENTS:
        return
    if isinstance(args[0], socket.socket):
        address = args[1]
        if args[0].family == socket.AF_UNIX or address is None:  # None: as connected
            return
        host = address[0]
    else:
        host = args[0][0] if isinstance(args[0], tuple) else args[0]
    host = host.decode() if isinstance(host, bytes) else host
    if host is None or is_local(host):
        return
    with open(os.environ['TOUCHED'], 'a') as touched:
        touched.write(f'{event} {host} by {sys.argv}\n')
    raise PermissionError(f'the network was touched: {event} {host}')


sys.addaudithook(refuse_network)
