"""The float planner and its integer copy in the simulator, many episodes in lockstep."""
