"""robosignal: signaling for people who drive robots over WebRTC."""

__version__ = "0.1.0"
__all__ = ["__version__"]
