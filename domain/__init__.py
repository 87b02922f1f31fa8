"""The meaning of events: the state and the rules of each area, used by the API and the agents. Areas import ``streams``, never the other
way round.
"""
