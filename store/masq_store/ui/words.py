"""Every sentence people read goes through here, so that another language is one table away."""


def _(sentence: str, **fields: object) -> str:
    """Return `sentence` in the reader's language, with its {fields} filled in.

    Pass a literal: the sentences are collected from the source. The result is plain text,
    and the templates escape it.
    """
    return sentence.format_map(fields) if fields else sentence


def count(number: int, one: str, many: str) -> str:
    """Return `one` or `many`, whichever fits `number`, with {n} filled in, digits grouped."""
    return (one if number == 1 else many).format(n=f"{number:,}")
