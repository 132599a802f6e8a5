"""Records as OTLP: encoding and sending, apart. The only place that knows the wire format."""
