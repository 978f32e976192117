"""The kiosk's picture (Kivy): draws a `View`, returns events, decides nothing."""
