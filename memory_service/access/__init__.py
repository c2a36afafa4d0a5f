"""Who calls, and what they may: API keys, JSON Web Tokens, limits for each caller. Knows no gRPC and no protobuf."""
