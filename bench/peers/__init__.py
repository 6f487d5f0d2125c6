"""The same work on what a user would pick instead, Socket.IO and Durable Objects, measured with Playhead."""
