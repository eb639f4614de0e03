"""What may be told as a string: Unicode that UTF-8 can carry."""


def is_text(text: str) -> bool:
    """False for what came from bytes that are no UTF-8: it holds surrogates, which nobody can be
    told."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
