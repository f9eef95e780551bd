"""What a provider's answer bills, read off the bytes that pass: pure, and never in their way."""
