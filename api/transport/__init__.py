"""GraphQL over HTTP, WebSocket, server-sent events and multipart: one way to answer, four to carry.

operations.py reads what is asked, execution.py answers it; the others carry answers in the formats
of their protocols.
"""
