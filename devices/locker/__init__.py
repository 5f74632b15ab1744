"""The parcel station: compartments on lock boards."""
