"""A living village in one command: invented people, goods and machines on embedded defaults."""
