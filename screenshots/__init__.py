"""Pictures of the dashboard for the README, and the program that makes them."""
