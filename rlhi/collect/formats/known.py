"""The log formats we read. To add one, write ``matches`` and ``parse`` and a row of :data:`FORMATS`."""

from __future__ import annotations

from rlhi.collect.formats import (
    bedrock,
    chats,
    exports,
    librechat,
    mlflow,
    preferences,
    prism,
    requests,
    spans,
    traces,
    trees,
    webui,
)
from rlhi.collect.formats.format import Format, has_turns

__all__ = ["FORMATS", "Format"]

# The first that recognises a row reads it: formats that want more of a row stand before those that want less.
FORMATS: tuple[Format, ...] = (
    Format("conversations", "Conversation jsonl", has_turns("turns", "role"), chats.platform),
    Format("wildchat", "WildChat", chats.is_wildchat, chats.wildchat),
    Format("lmsys", "LMSYS-Chat", chats.HAS_CONVERSATION, chats.lmsys),
    Format("preferences", "preference rows", preferences.is_preference, preferences.preference),
    Format("prism", "PRISM", prism.is_prism, prism.prism),
    Format("mlflow", "MLflow traces", mlflow.is_mlflow, mlflow.mlflow),
    Format("litellm", "LiteLLM request log", requests.is_litellm, requests.litellm),
    Format("completions", "chat-completion request and response log", requests.is_completion, requests.completion),
    Format("openai", "OpenAI messages", has_turns("messages", "role"), chats.openai),
    Format("sharegpt", "ShareGPT", has_turns("conversations", "from", "role"), chats.sharegpt),
    Format("oasst", "OASST trees", trees.is_oasst, trees.oasst),
    Format("open-webui", "Open WebUI export", webui.is_webui, webui.webui),
    Format("langfuse", "Langfuse export", traces.is_langfuse, traces.langfuse),
    Format("chatgpt", "ChatGPT export", exports.is_chatgpt, exports.chatgpt),
    Format("claude", "Claude export", exports.is_claude, exports.claude),
    Format("librechat", "LibreChat", librechat.is_librechat, librechat.librechat),
    Format("bedrock", "Bedrock invocation log", bedrock.is_bedrock, bedrock.bedrock),
    Format("otel", "OpenTelemetry spans", spans.is_spans, spans.spans),
    Format("exchanges", "table of questions and answers", requests.is_exchange, requests.exchange),
)
