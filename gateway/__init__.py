"""The gateway: asyncio stages around the pure `protocol`, wired by `app`."""
