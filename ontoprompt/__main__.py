"""`python -m ontoprompt`, which is also what `accelerate launch -m ontoprompt train ...` starts."""

from .cli import main

if __name__ == "__main__":
    main(prog_name="ontoprompt")
