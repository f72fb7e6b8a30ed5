"""The running site: asyncio without Home Assistant. Snapshot, pass loop, dispatch of commands, audit."""
