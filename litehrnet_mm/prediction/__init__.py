"""Networks at work on whatever a user has: pictures, folders, films, a camera."""
