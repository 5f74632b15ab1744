"""The parcel station: compartments, what their doors do, and who may use which."""
