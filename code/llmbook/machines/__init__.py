"""What training on several processes and machines takes, on one (chapter 12).

``launch``  start them on this machine and wait; nothing is left running
``stream``  tokens in a file, read once each by all processes and workers together
``memory``  bytes that a step keeps and sends, of models of any size
"""

from llmbook.machines.launch import LaunchError, free_port, run
from llmbook.machines.memory import count_sent, saved_bytes, step_bytes
from llmbook.machines.stream import FileWindows, TokenFile, TokenStream, write_tokens

__all__ = [
    "FileWindows",
    "LaunchError",
    "TokenFile",
    "TokenStream",
    "count_sent",
    "free_port",
    "run",
    "saved_bytes",
    "step_bytes",
    "write_tokens",
]
