"""What of an installation comes along when it moves to other logs.

``export``       what has to come along; ``file`` writes and reads it
``copies``       what a copy of topics says of the offsets that its messages had
``renumbering``  puts what has come along into the numbers of other logs
"""
